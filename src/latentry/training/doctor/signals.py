"""What is measured at a tick for the doctor: a pure function of the weights, the data and the seed.

Nothing here changes what training computes: randomness is its own, buffers that a forward pass would move are copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentry.metrics.leak import augmentation_leak
from latentry.models.build import Model
from latentry.models.contract import Batch, Method
from latentry.models.gan import GANMethod
from latentry.settings.config import Config
from latentry.settings.specs import ImageSpec
from latentry.settings.vqvae import VQVAESettings
from latentry.training.doctor import critic as ask
from latentry.training.doctor import weights
from latentry.training.doctor.linear_probe import LinearProbe
from latentry.training.doctor.pictures import Sketch, compare, copied, explained
from latentry.training.rng import rng_for
from latentry.training.stream import PictureStream

N_COMPARED = 200  # generated and real pictures that are held against each other
_N_SLOW = 50  # likewise, of a model that draws a picture code by code: with 200 the doctor takes 4 % of ten minutes
_N_KNOWN = 2000  # training pictures that are looked at once, at the first tick
_N_ASKED = 8  # packs of pictures that the critic is asked about
_N_EXPLAINED = 64  # real pictures that are reconstructed
_N_LEAK = 200  # pictures of each kind for the search for augmentation, at the last tick
_LEAST = 50  # pictures of each kind that `augmentation_leak` needs
_LEAST_FOR_PROBE = 100
_BATCH = 100


@dataclass
class Known:
    """What is known of the training pictures, once.

    Attributes:
        sketches: of the first pictures, [N, F].
        constant: share of the pictures that have one colour.
        copies: share of the pictures that another one among them equals.
        not_finite: share of the pictures with a value that is not a number.
        probe: what a linear probe reads of the condition; None without one, or with too few pictures.
    """

    sketches: Tensor
    constant: float
    copies: float
    not_finite: float
    probe: LinearProbe | None


class Meter:
    """Measures the doctor's signals on one run.

    Args:
        config: the run's settings.
        method: what is trained.
        train, held_out: its pictures.
    """

    def __init__(self, config: Config, method: Method, train: PictureStream, held_out: PictureStream) -> None:
        self._config, self._method, self._train, self._held_out = config, method, train, held_out
        self._seed = config.training.seed
        self._device = train.device

    @torch.no_grad()
    def measure(self, model: Model, scored: dict[str, Tensor], *, last: bool) -> dict[str, Any]:
        """The signals of one tick.

        Args:
            model: the averaged model.
            scored: the method's terms on held-out pictures, [B, ...] each.
            last: whether the run ends here; slow signals wait for that.
        """
        module, known = self._method.module, self._known
        signals: dict[str, Any] = {
            "data": {"constant": known.constant, "copies": known.copies, "not_finite": known.not_finite},
            "gradient": weights.gradient_sizes(module),
            "update": weights.update_ratios(module, self._method.optimisers),
        }
        if model.own_prior is not None:
            signals |= self._compared(model)
        if model.encode is not None:
            reals = self._reals.split(_N_EXPLAINED)[0]
            signals["explained"] = explained(
                reals.x, torch.cat([model.decode(model.encode(*part), part.condition) for part in reals.split(_BATCH)])
            )
        if isinstance(self._method, GANMethod):
            signals["critic"] = self._critic(self._method, scored)
            if last and self._augmented:
                signals["leak"] = self._leak(model)
        return signals

    @property
    def not_finite(self) -> float:
        """The share of the training pictures with a value that is not a number."""
        return self._known.not_finite

    @cached_property
    def _sketch(self) -> Sketch:
        image = self._method.model.image
        assert isinstance(image, ImageSpec)
        return Sketch(image, rng_for(self._seed, "doctor", "sketch"))

    @cached_property
    def _known(self) -> Known:
        """The training pictures as they are, without mirroring or augmentation; they are already in random order."""
        sketches, conditions = [], []
        constant = not_finite = 0
        n = min(len(self._train), _N_KNOWN)
        for rows in np.array_split(np.arange(n), -(-n // _BATCH)):
            x, condition = self._train.take(rows)
            sketches.append(self._sketch(x))
            conditions += [] if condition is None else [condition.cpu()]
            flat = x.flatten(2)
            one_colour = (flat.amax(dim=2) == flat.amin(dim=2)).all(dim=1)
            constant += 0 if self._train.points else int(one_colour.sum())
            not_finite += int((~torch.isfinite(x).flatten(1).all(dim=1)).sum())
        whole = torch.cat(sketches)
        probe = None
        if conditions and n >= _LEAST_FOR_PROBE and not not_finite:
            probe = LinearProbe(whole, torch.cat(conditions))
        copies = n - len(torch.unique(whole, dim=0)) if not self._train.points else 0
        return Known(whole, constant / n, copies / n, not_finite / n, probe)

    @cached_property
    def _reals(self) -> Batch:
        """Real pictures, held out where there are enough of these."""
        source = self._held_out if len(self._held_out) >= _LEAST else self._train
        return source.take(np.arange(min(N_COMPARED, len(source))))

    def _generated(self, model: Model, n: int) -> Batch:
        """The first `n` pictures of latents that stay the same all run, and what was asked for."""
        rng = rng_for(self._seed, "doctor", "latents", device=self._device)
        wanted = None if model.conditions is None else model.conditions.draw(n, rng=rng)
        assert model.own_prior is not None
        z = model.own_prior(n, rng=rng, condition=wanted)
        parts = Batch(z, wanted).split(_BATCH)
        return Batch(torch.cat([model.decode(part.x, part.condition) for part in parts]), wanted)

    def _compared(self, model: Model) -> dict[str, Any]:
        """Generated pictures beside real ones, beside training ones, and what the probe reads in them."""
        known = self._known
        real = self._sketch(self._reals.x)
        if len(real) < 3 or known.not_finite:
            return {}
        n = _N_SLOW if isinstance(self._config.model, VQVAESettings) else N_COMPARED
        generated = self._generated(model, n)
        fake, real = self._sketch(generated.x), real[:n]
        share, ratio = copied(fake, known.sketches)
        pictures = {**compare(fake[: len(real)], real), "copied": share, "copied_ratio": ratio}
        if len(self._held_out) >= _LEAST:
            pictures["copied_ratio_real"] = copied(real, known.sketches)[1]
        signals: dict[str, Any] = {"pictures": pictures}
        if known.probe is not None and generated.condition is not None:
            obeyed = known.probe.agreement(fake, generated.condition.cpu())
            signals["probe"] = {"real": known.probe.on_reals, "generated": obeyed}
        return signals

    def _critic(self, method: GANMethod, scored: dict[str, Tensor]) -> dict[str, Any]:
        """What the critic's scores say, and what it says when it is asked."""
        packing = method.game.packing
        batch = self._train.take(np.arange(min(_N_ASKED * packing, len(self._train) // packing * packing)))
        rng = rng_for(self._seed, "doctor", "critic", device=self._device)
        found: dict[str, Any] = {"bounds": ask.bounds(method.critic, batch, packing)}
        if len(batch.x) >= 2 * packing:
            found["dependence"] = ask.dependence(method.critic, batch, packing, rng)
        if method.game.constraint == "clip":
            found["at_limit"] = weights.at_limit(method.critic, method.game.clip_weights)
        if scored:
            real, fake, trained = (scored[f"score_{name}"] for name in ("real", "fake", "trained"))
            found["real_above_fake"] = ask.share_above(real, fake)
            found["trained_above_real"] = ask.share_above(trained, real)
            found["n_scored"] = len(real)
        return found

    @property
    def _augmented(self) -> bool:
        augment = self._config.augment
        few = min(len(self._train), _N_LEAK) < 2 * _LEAST
        return augment.augment in ("fixed", "adaptive") and not self._train.points and not few

    def _leak(self, model: Model) -> dict[str, list[float]]:
        """By policy: how often generated pictures look changed by it, how often plain ones do, and how sure that is."""
        reals = self._train.take(np.arange(min(_N_LEAK, len(self._train)))).x.cpu()
        rng = rng_for(self._seed, "doctor", "leak")
        policies = self._config.augment.augment_policies
        found = augmentation_leak(self._generated(model, _N_LEAK).x.cpu(), reals, policies, rng)
        return {policy: [leak.share, leak.share_real, leak.z] for policy, leak in found.items()}
