"""The one loop: steps, average, ticks, checkpoints. It knows images and seconds, and nothing of VAEs or GANs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from latentry.data import to_stored
from latentry.files import read_json
from latentry.losses import active_units
from latentry.models.contract import Method
from latentry.nn.batch_norm import share_batch_statistics
from latentry.precision import float64
from latentry.ranks import Ranks, together
from latentry.settings.config import Config
from latentry.settings.training import parse_count
from latentry.training.budget import Budget
from latentry.training.checkpoint import (
    list_checkpoints,
    load_checkpoint,
    module_tensors,
    optimiser_tensors,
    prune,
    restore_module,
    restore_optimisers,
    save_checkpoint,
)
from latentry.training.doctor import Case, Meter, diagnose, forget_failure, record_failure
from latentry.training.ema import EMA, ema_decay
from latentry.training.interrupt import StopRequest
from latentry.training.observer import Observer, Pace, Pictures
from latentry.training.ranks import largest, on_first, spread_from_first
from latentry.training.rng import rng_for
from latentry.training.run import Run
from latentry.training.schedule import set_pace
from latentry.training.stepper import Stepper
from latentry.training.stream import PictureStream
from latentry.training.terms import TermSums, non_finite_error

N_SHOWN = 32  # pictures in the grids
N_POINTS_SHOWN = 2500  # points of a toy world in its scatter plots
_N_SCORED = 100, 2000  # held-out pictures scored at a tick, at least and at most
_SCORED_SHARE = 8  # of the images trained on between ticks, one in so many is scored: a few percent of the time
_SCORE_BATCH = 100
_SUMS = "sums."  # before the names of terms in a checkpoint
_FINITE_EVERY = 50  # steps between looks at whether the loss is finite
_SAFETY_SECONDS = 600.0  # a checkpoint is written at least this often
_REFRESH_SECONDS = 0.25


@dataclass
class Position:
    """How far the loop is; with the tensors, all there is to save."""

    step: int = 0
    images: int = 0
    seconds: float = 0.0
    tick: int = 0


@dataclass
class Loop:
    """Trains one method in one run folder.

    Where several ranks train together, each has a loop: all make the steps, and only the first one looks at the clock,
    scores, and writes, while the others wait for it.
    """

    run: Run
    config: Config
    method: Method
    train: PictureStream
    held_out: PictureStream
    budget: Budget
    observers: list[Observer]
    ranks: Ranks = field(default_factory=Ranks)
    at: Position = field(default_factory=Position)

    def __post_init__(self) -> None:
        """Prepare what the settings ask for."""
        self.training = self.config.training
        if self.ranks.world > 1:
            share_batch_statistics(self.method.module)
        spread_from_first(self.method.module, self.ranks)
        self.ema = EMA(self.method.model)
        self._sums = TermSums(self.ranks)
        self._stepper = Stepper(self.run, self.method, self.training, self.ranks)
        self._n_shown = N_POINTS_SHOWN if self.train.points else N_SHOWN
        self._meter = Meter(self.config, self.method, self.train, self.held_out)
        self._saved_at = time.monotonic()

    def resume(self, checkpoint: Path) -> None:
        """Go back to the state of a checkpoint, and the log with it."""
        tensors, state = on_first(self.ranks, lambda: load_checkpoint(checkpoint))
        restore_module("model", self.method.module, tensors)
        restore_module("ema", self.ema.module, tensors)
        restore_optimisers(self.method.optimisers, tensors)
        self._sums.restore(
            {name.removeprefix(_SUMS): x.to(self.train.device) for name, x in tensors.items() if name.startswith(_SUMS)}
        )
        self.at = Position(**{name: state[name] for name in ("step", "images", "seconds")})
        self.at.tick = self._ticks_over()  # counted anew: another budget has other ticks
        if self.ranks.first:
            self.run.rewind_log(self.at.images)

    def __call__(self, stop: StopRequest) -> bool:
        """Train to the end of the budget; False if a signal asked to stop before, in which case the state is saved."""
        if self.ranks.first:
            self._begin_doctor()
        start, before = time.monotonic(), self.at.seconds
        refreshed = tick_began = start
        images_at_tick = self.at.images
        (asked,) = largest(self.ranks, stop.signal or 0)
        while (progress := self.budget.progress(self.at.images, self.at.seconds)) < 1:
            if asked:
                stop.signal = int(asked)
                self._check_finite()
                self.save(score=None)
                return False
            self._step(progress)
            now = time.monotonic()
            seconds, due = 0.0, 0.0
            if self.ranks.first:
                seconds, due = before + now - start, float(now - self._saved_at > _SAFETY_SECONDS)
            self.at.seconds, due, asked = largest(self.ranks, seconds, due, stop.signal or 0)
            rate = (self.at.images - images_at_tick) / (now - tick_began)
            if now - refreshed > _REFRESH_SECONDS:
                refreshed = now
                self._tell_pace(rate)
            tick = self._ticks_over()
            if tick > self.at.tick:
                earlier, self.at.tick = self.at.tick, tick
                self._tell_pace(rate)
                self._tick(rate, earlier)
                images_at_tick, tick_began = self.at.images, time.monotonic()
            elif due:
                self._check_finite()
                self.save(score=None)
        return True

    @property
    def left(self) -> bool:
        """Whether there is anything left to train."""
        return self.budget.progress(self.at.images, self.at.seconds) < 1

    def save(self, score: float | None) -> None:
        """Write a checkpoint; one with a score (smaller is better) may become the best one.

        Collective: every rank has to call it, except right after a tick, when there are no sums to share.

        Raises:
            InputError: a weight is not finite, though the loss is: the next step's would not be.
        """
        if not all(bool(torch.isfinite(weight).all()) for weight in self.method.module.parameters()):
            self._fail([])
        sums = self._sums.state()
        if not self.ranks.first:
            return
        self._follow_without_average()
        tensors = {
            **{f"{_SUMS}{name}": value for name, value in sums.items()},
            **module_tensors("model", self.method.module),
            **module_tensors("ema", self.ema.module),
            **optimiser_tensors(self.method.optimisers),
        }
        state = {**vars(self.at), "score": score}
        save_checkpoint(self.run.checkpoints, tensors, state)
        prune(self.run.checkpoints, self.training.keep)
        self._saved_at = time.monotonic()

    def _step(self, progress: float) -> None:
        settings, at = self.training, self.at
        set_pace(self.method.optimisers, settings, progress)
        pictures = settings.batch * self.method.batches
        batch = self.train.step(at.step, settings.batch, settings.seed, parts=self.method.batches, ranks=self.ranks)
        rng = rng_for(settings.seed, "step", at.step, 0, device=self.train.device)
        with together(self.ranks):
            self._sums.add(self._stepper(batch, rng, progress, at.step, self._left()))
        at.step += 1
        at.images += pictures
        if settings.ema is not None:
            self.ema.update(ema_decay(pictures, parse_count(settings.ema), at.images))
        if at.step % _FINITE_EVERY == 0:
            self._check_finite()

    def _left(self) -> float | int:
        """Of the run: steps, where it is counted in images, else seconds."""
        if self.budget.seconds is not None:
            return self.budget.seconds - self.at.seconds
        assert self.budget.images is not None
        return (self.budget.images - self.at.images) // (self.training.batch * self.method.batches)

    def _follow_without_average(self) -> None:
        """Where no average is kept, the copy that is shown and scored is brought up to date when it is needed."""
        if self.training.ema is None:
            self.ema.update(0.0)

    def _ticks_over(self) -> int:
        """How many of the run's ticks lie behind."""
        return int(self.budget.progress(self.at.images, self.at.seconds) * self.training.ticks + 1e-9)

    @torch.no_grad()
    def _tick(self, rate: float, earlier: int) -> None:
        """Log, show, score and, where one is due since the tick `earlier`, save."""
        self._check_finite()
        trained = self._sums.take()
        if not self.ranks.first:
            return
        self._follow_without_average()
        scored = self._score_held_out()
        held_out = _means(scored)
        record: dict[str, Any] = {
            "images": self.at.images,
            "step": self.at.step,
            "epoch": round(self.at.images / len(self.train), 3),
            "seconds": round(self.at.seconds, 3),
            "images_per_sec": round(rate, 1),
            "lr": {name: optimiser.param_groups[0]["lr"] for name, optimiser in self.method.optimisers.items()},
            "train": trained,
            "held_out": held_out,
            **self._stepper.take_note(),
            "signals": self._meter.measure(self.ema.module, scored, last=self.at.tick >= self.training.ticks),
        }
        self.run.append_log(record)
        pictures = self._show()
        for observer in self.observers:
            observer.ticked(record, pictures)
        self._see_doctor(record)
        ticks, wanted = self.training.ticks, min(self.training.checkpoints, self.training.ticks)
        if self.at.tick * wanted // ticks > earlier * wanted // ticks:
            self.save(score=held_out.get("loss") if held_out is not None else None)

    def _score_held_out(self) -> dict[str, Tensor]:
        """The method's terms on held-out pictures, with the averaged weights; nothing where none are held out."""
        between_ticks = self.at.images // max(self.at.tick, 1)
        n = min(len(self.held_out), int(np.clip(between_ticks // _SCORED_SHARE, *_N_SCORED)))
        if n == 0:
            return {}
        n -= n % _SCORE_BATCH if n > _SCORE_BATCH else 0  # parts of one size: total correlation depends on it
        rng = rng_for(self.training.seed, "held-out", device=self.held_out.device)  # the same noise at every tick
        parts: dict[str, list[Tensor]] = {}
        for rows in np.array_split(np.arange(n), -(-n // _SCORE_BATCH)):
            for name, value in self.method.score(self.ema.module, self.held_out.take(rows), rng).items():
                parts.setdefault(name, []).append(value)
        return {name: torch.cat(values) for name, values in parts.items()}

    def _begin_doctor(self) -> None:
        """What was found before a run is resumed is not told again."""
        forget_failure(self.run.path)
        self._case = Case(self.config, self.run.read_log(), read_json(self.run.data_file))
        self._told = {finding.name for finding in diagnose(self._case)} if self._case.log else set()

    def _see_doctor(self, record: dict[str, Any]) -> None:
        """Tell what goes wrong, each thing once."""
        self._case.log.append(record)
        for finding in diagnose(self._case):
            if finding.name not in self._told:
                self._told.add(finding.name)
                for observer in self.observers:
                    observer.found(finding)

    def _show(self) -> Pictures:
        """Samples of latents, and reconstructions of pictures, that stay the same all run."""
        model = self.ema.module
        source = self.held_out if len(self.held_out) else self.train
        reals, told = source.take(np.arange(min(self._n_shown, len(source))))

        def shown(x: Tensor) -> np.ndarray:
            return to_stored(x, model.image).cpu().numpy()

        samples = reconstructions = None
        if model.own_prior is not None:
            rng = rng_for(self.training.seed, "shown", device=self.train.device)
            wanted = None if model.conditions is None else model.conditions.draw(self._n_shown, rng=rng)
            z = model.own_prior(self._n_shown, rng=rng, condition=wanted)
            samples = shown(model.decode(z, wanted))
        if model.encode is not None:
            reconstructions = shown(model.decode(model.encode(reals, told), told))
        return Pictures(samples, shown(reals), reconstructions)

    def _check_finite(self) -> None:
        if terms := self._sums.not_finite():
            self._fail(terms)

    def _fail(self, terms: list[str]) -> NoReturn:
        """End the run, as these terms of the loss, or weights alone, are not finite."""
        kept = list_checkpoints(self.run.checkpoints)
        last = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint was written yet"
        module, lr = self.method.module, self.training.lr
        if self.ranks.first:
            pictures, images = self._meter.not_finite, self.at.images
            record_failure(self.run.path, images=images, terms=terms, module=module, lr=lr, pictures=pictures)
        raise non_finite_error(terms, module, self.at.images, lr, last)

    def _tell_pace(self, rate: float) -> None:
        progress = self.budget.progress(self.at.images, self.at.seconds)
        if self.budget.seconds is not None:
            left = self.budget.seconds - self.at.seconds
        else:
            assert self.budget.images is not None
            left = (self.budget.images - self.at.images) / max(rate, 1e-9)
        pace = Pace(progress, self.at.images, rate, max(0.0, left))
        for observer in self.observers:
            observer.advanced(pace)


def _means(scored: dict[str, Tensor]) -> dict[str, Any] | None:
    """The means of terms over held-out pictures, and how many latents follow them; None where none are held out."""
    if not scored:
        return None
    means = {name: float64(value).mean(dim=0).tolist() for name, value in scored.items() if name != "mu"}
    return means if "mu" not in scored else {**means, "active_units": int(active_units(scored["mu"]).sum())}
