"""What fits into a time: `plan` tries sizes and batches for seconds each and proposes a command, with its cost.

Choosing is a pure function of what was measured, so that it can be read, and tested, without training.
"""

from __future__ import annotations

import bisect
import dataclasses
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentry.api.trial import Trial, try_out
from latentry.errors import InputError
from latentry.settings.config import Config
from latentry.settings.recipes import find_recipe
from latentry.settings.training import parse_seconds
from latentry.training.enough import SHORT, enough_images

Progress = Callable[[str], None]
"""Called with what is being tried."""

SIZES_PX = (32, 64, 128, 256)  # beside the pictures' own
_TRIAL_SECONDS = 2.0, 8.0  # of training in one trial: a hundredth of the time, within these
_FASTER = 1.3  # a doubled batch is worth it from here on
_FEWEST_STEPS = 20_000  # and while so many steps are left
_SHORTEST = 8  # pictures in a pass, and in a batch
_FULL = 0.9  # share of the free memory that may be taken


@dataclass(frozen=True)
class Option:
    """A size and a batch, and what the whole time buys with them.

    Attributes:
        trial: what was measured.
        images: pictures trained on, counted with repetition, in whole steps; 0 where not one step fits.
        enough: pictures after which this recipe shows what it can do at this size.
        seconds: predicted, from the command to its end.
    """

    trial: Trial
    images: int
    enough: int
    seconds: float

    @property
    def steps(self) -> int:
        """Updates of the weights."""
        return self.images // max(1, self.trial.images_per_step)

    @property
    def pass_images(self) -> int:
        """Pictures that are computed at a time."""
        return self.trial.micro_batch or self.trial.batch

    @property
    def peak_bytes(self) -> int:
        """The most memory that it will hold."""
        return self.trial.peak_after(self.images)

    @property
    def fits(self) -> bool:
        """Whether it fits into memory, and at least one step into the time."""
        return self.images > 0 and not self.too_big

    @property
    def too_big(self) -> bool:
        """Whether it takes more memory than there is."""
        free = self.trial.free_bytes
        return not self.trial.fits or (free > 0 and self.peak_bytes >= _FULL * free)


@dataclass(frozen=True)
class Plan:
    """What is proposed, what else was tried, and why.

    Attributes:
        recipe, data: what for.
        budget_sec: the time that was given.
        options: all that were tried.
        chosen: the one that is proposed.
        why: in sentences.
        warnings: what may come differently, in sentences.
        command: what to type.
    """

    recipe: str
    data: str
    budget_sec: float
    options: tuple[Option, ...]
    chosen: Option
    why: tuple[str, ...]
    warnings: tuple[str, ...]
    command: str

    def to_json(self) -> dict[str, Any]:
        """A record that `json` can write."""
        worked_out = ("steps", "peak_bytes", "fits")
        options = [
            {**dataclasses.asdict(each), **{name: getattr(each, name) for name in worked_out}} for each in self.options
        ]
        return {**dataclasses.asdict(self), "chosen": self.options.index(self.chosen), "options": options}


def plan(
    recipe: str | Config,
    data: str | Path | None = None,
    *,
    budget: str,
    size: str | int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Plan:
    """Measure short real runs, and propose size, batch and images for a time.

    Args:
        recipe: a name from `latentry recipes`, or a whole config.
        data: a name or a path, as `train` takes it; None for the recipe's own.
        budget: the time, from the command to its end, e.g. `2h`.
        size: in pixels, to try this one only; None tries several.
        progress: told what is being tried.
        **settings: any other setting by its name; a given batch is kept.

    Raises:
        InputError: training would refuse it, or nothing that was tried fits.
    """
    seconds = parse_seconds(budget)
    config = find_recipe(recipe).config if isinstance(recipe, str) else recipe
    given = {**settings, **({} if data is None else {"data": str(data)}), **({} if size is None else {"size": size})}
    config = config.with_settings(**given, budget=budget)
    within = min(max(seconds / 100, _TRIAL_SECONDS[0]), _TRIAL_SECONDS[1])
    options: list[Option] = []
    load = busy()

    def attempt(**changes: Any) -> Option:
        changed = config.with_settings(**changes)
        if progress is not None:
            passes = changed.training.micro_batch
            in_passes = "" if passes is None else f" in passes of {passes}"
            progress(f"{changed.data.size or 'own size'}, batch {changed.training.batch}{in_passes}")
        found = try_out(changed, within)
        options.append(predict(found, changed, seconds))
        return options[-1]

    _try_sizes(config, attempt)
    best = choose_size(options) or min(options, key=_pixels)
    best = _try_batches(config, attempt, best, "batch" in settings)
    if not best.fits:
        raise InputError(_nothing_fits(best, budget))
    why, warnings = explain(best, options, config), warn(best, seconds, load)
    return Plan(config.recipe, config.data.data, seconds, tuple(options), best, why, warnings, command(config, best))


def predict(trial: Trial, config: Config, seconds: float) -> Option:
    """What a time buys: what is left of it after starting, ticks and finishing, at the measured rate, in whole steps.

    Args:
        trial: what was measured.
        config: of the trial.
        seconds: the time, from the command to its end.
    """
    enough = enough_images(config, trial.n_train, max(trial.height, trial.width))
    if not trial.fits:
        return Option(trial, 0, enough, 0.0)
    aside = trial.start_sec + config.training.ticks * trial.tick_sec

    def cost(steps: int) -> float:
        images = steps * trial.images_per_step
        return aside + images / trial.images_per_sec + trial.finish_seconds(images)

    most = int(seconds * trial.images_per_sec / trial.images_per_step)
    steps = max(0, bisect.bisect_right(range(most + 1), seconds, key=cost) - 1)
    return Option(trial, steps * trial.images_per_step, enough, cost(steps))


def choose_size(options: list[Option]) -> Option | None:
    """The largest size for which there is time enough; where there is none, the smallest; None where nothing fits."""
    fitting = [option for option in options if option.fits]
    enough = [option for option in fitting if option.images >= option.enough]
    if enough:
        return max(enough, key=_pixels)
    return min(fitting, key=_pixels, default=None)


def worth_doubling(before: Option, after: Option) -> bool:
    """Whether twice the batch is to be preferred: it is much faster, it fits, and steps enough are left."""
    faster = after.trial.images_per_sec > _FASTER * before.trial.images_per_sec
    return after.fits and faster and after.steps >= _FEWEST_STEPS


def _try_sizes(config: Config, attempt: Callable[..., Option]) -> None:
    """Try the size that training would take, then smaller ones until time suffices, or larger ones while it does."""
    first = attempt()
    if config.data.size is not None or _pixels(first) == 1:  # points of a plane have no size
        return
    side = min(first.trial.height, first.trial.width) or SIZES_PX[-1]
    if first.fits and first.images >= first.enough:
        for size_px in SIZES_PX:
            # Twice the side takes four times as long.
            if side < size_px <= first.trial.native_px and first.images * (side / size_px) ** 2 >= first.enough / 2:
                attempt(size=str(size_px))
        return
    for size_px in reversed([each for each in SIZES_PX if each < side]):
        option = attempt(size=str(size_px))
        if option.fits and option.images >= option.enough:
            return


def _try_batches(config: Config, attempt: Callable[..., Option], best: Option, given: bool) -> Option:
    """Shorter passes while memory does not suffice, or half the batch; else twice the batch while that pays.

    A given batch is kept, and a given length of passes too.
    """
    trial = best.trial
    size = {"size": f"{trial.height}x{trial.width}"} if trial.height > 1 else {}

    def with_batch(batch: int, passes: int | None = config.training.micro_batch) -> Option | None:
        try:
            return attempt(**size, batch=batch, micro_batch=passes)
        except InputError:  # the recipe needs another one
            return None

    while best.too_big and config.training.micro_batch is None and (passes := best.pass_images) > _SHORTEST:
        if (shorter := with_batch(trial.batch, passes // 2)) is None:
            break
        best = shorter
    if given:
        return best
    while best.too_big and best.pass_images > _SHORTEST and (smaller := with_batch(best.trial.batch // 2)) is not None:
        best = smaller
    while best.fits and best.steps >= 2 * _FEWEST_STEPS and (larger := with_batch(2 * best.trial.batch)) is not None:
        if not worth_doubling(best, larger):
            break
        best = larger
    return best


def explain(best: Option, options: list[Option], config: Config) -> tuple[str, ...]:
    """Why this one, in sentences."""
    trial = best.trial
    seen = (
        f"{best.images:,} images at {trial.height} x {trial.width}, {best.images / max(1, trial.n_train):,.1f} epochs"
    )
    if best.images >= best.enough:
        lines = [f"{seen}: enough for {config.recipe}, which takes about {best.enough:,} (a rule of thumb)"]
    else:
        share = best.images / best.enough
        lines = [f"{seen}: {share:.0%} of the {best.enough:,} that {config.recipe} takes (a rule of thumb)"]
    larger = [each for each in options if _pixels(each) > _pixels(best)]
    if larger and config.data.size is None:
        least = min(larger, key=_pixels)
        what = "does not fit" if not least.fits else f"would see {least.images:,} of {least.enough:,} images"
        lines.append(f"{least.trial.height} x {least.trial.width} {what} in that time")
    batches = [each for each in options if _pixels(each) == _pixels(best) and each.trial.batch != trial.batch]
    if trial.micro_batch is not None and config.training.micro_batch is None:
        lines.append(f"passes of {trial.micro_batch} pictures, as memory does not suffice for {trial.batch} at once")
    for other in batches:
        rate = f"{other.trial.images_per_sec:,.0f} images a second" if other.fits else "does not fit"
        lines.append(f"batch {other.trial.batch}: {rate}; batch {trial.batch}: {trial.images_per_sec:,.0f}")
    return tuple(lines)


def warn(best: Option, seconds: float, load: float) -> tuple[str, ...]:
    """What may come differently, in sentences.

    Args:
        best: what is proposed.
        seconds: the time that was given.
        load: processes that wanted a processor before the trials, for each processor there is.
    """
    lines = []
    if best.images < SHORT * best.enough:
        needed = seconds * best.enough / max(1, best.images)
        lines.append(f"too short to show anything; {needed / 3600:,.1f}h would be enough, or a smaller --size")
    if best.trial.device == "cpu" and load > 0.5:
        lines.append(
            f"other programs keep this machine busy ({load:.1f} processes for each processor): the prediction holds "
            "while that is so, and alone it would go faster"
        )
    return tuple(lines)


def busy() -> float:
    """Processes that wanted a processor in the last minute, for each there is; 0 where none can tell."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):  # Windows
        return 0.0


def command(config: Config, option: Option) -> str:
    """The `latentry train` command for an option: in images, so that it repeats bit for bit on any machine."""
    trial = option.trial
    words = ["latentry", "train", config.recipe, "--data", config.data.data]
    if (trial.height, trial.width) != (1, 1):
        words += ["--size", f"{trial.height}" if trial.height == trial.width else f"{trial.height}x{trial.width}"]
    words += ["--batch", f"{trial.batch}", "--images", f"{option.images}"]
    if trial.micro_batch is not None:
        words += ["--micro-batch", f"{trial.micro_batch}"]
    return " ".join(map(shlex.quote, words))


def _pixels(option: Option) -> int:
    return option.trial.height * option.trial.width


def _nothing_fits(option: Option, budget: str) -> str:
    trial = option.trial
    if trial.fits and option.images == 0:
        aside = trial.start_sec + trial.finish_seconds(0)
        return f"budget (={budget}) is over before training begins: starting and finishing take {aside:.0f}s; give more"
    needed = f"{option.peak_bytes / 2**30:.1f} GiB" if trial.fits else "more memory than there is"
    free = f"{trial.free_bytes / 2**30:.1f} GiB are free; " if trial.fits else ""
    if trial.micro_batch is not None:
        needed += f" in passes of {trial.micro_batch}"
    return f"batch (={trial.batch}) needs {needed}; {free}close other programs, or give a smaller --size or --batch"
