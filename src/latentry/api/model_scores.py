"""Scores of a model rather than of its samples: likelihood, reconstruction, obedience to conditions, disentanglement.

Letters: N pictures, D latent, K conditions or factors.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from latentry.data import ImageSet, Labels, to_float
from latentry.metrics.disentanglement import dci, factor_vae_score, mutual_information_gap, sap
from latentry.metrics.estimates import Estimate, estimate, share_estimate
from latentry.metrics.extractors.extractor import weights_hash
from latentry.metrics.extractors.offline import PROBE_SHOWN
from latentry.metrics.likelihood import importance_sampled_nll, information
from latentry.metrics.obedience import Obedience, obedience
from latentry.metrics.passport import Passport, Score
from latentry.metrics.probe import probe_for
from latentry.metrics.similarity import psnr, ssim
from latentry.models.contract import Batch
from latentry.models.trained import TrainedModel
from latentry.models.vae import VAE
from latentry.training.rng import derive_seed

_K = 100  # importance samples a picture
_N_NLL, _N_INFORMATION, _N_SIMILAR, _N_FACTORS = 250, 2_000, 1_000, 1_000
_BATCH = 250
_FACTOR_BINS = 10  # of a factor with more values than `_MOST_VALUES`, equally full
_MOST_VALUES = 50
_FACTORS_OF = {
    "faces": ("smiling", "glasses", "hat", "long_hair", "beard", "dark_background", "tilt", "x", "y", "skin", "hair"),
    "shapes": ("class", "scale", "orientation", "x", "y"),
}
"""The factors of the built-in sets that fill more than a few pixels; a forest for each of all 28 takes minutes."""


def likelihood_scores(
    model: TrainedModel, images: np.ndarray, told: np.ndarray | None, passport: Passport, seed: int
) -> list[Score]:
    """What a VAE says of held-out pictures, uint8 [N, C, H, W]; empty for another model."""
    vae = model.network
    if not isinstance(vae, VAE):
        return []
    rng = torch.Generator(model.device).manual_seed(derive_seed(seed, "likelihood"))
    batches = [vae.drawn(batch, rng) for batch in _batches(model, images[:_N_INFORMATION], told)]
    found = importance_sampled_nll(vae, batches[: _N_NLL // _BATCH], k=_K, rng=rng, chunk=1000)
    knows = information(vae, batches, rng=rng)
    about = replace(passport, n_real=knows.n, details={"likelihood": vae.likelihood.name})
    weighed = replace(passport, n_real=found.n, details={"likelihood": vae.likelihood.name, "k": found.k})
    said: tuple[str, ...] = (
        "comparable only between runs of one likelihood on the same pictures",
        f"more than {found.k} importance samples would take off about {found.bias:.2g} nats",
    )
    if found.effective_share * found.k < 2:
        said += (f"one sample in {found.k} carries nearly all the weight: the true number is well below",)
    nats = "nats per picture"
    gained = replace(knows.mutual_information, said=(f"cannot exceed ln N = {knows.ceiling:.2f}",))
    # Mutual information that has reached its ceiling is larger than it shows, and the misfit smaller.
    full = knows.mutual_information.value > 0.95 * knows.ceiling
    at_most = ("at most: mutual information has reached what so many pictures can show",) if full else ()
    units = estimate(knows.active_units, math.nan, "none", (f"of {knows.latent}",))
    return [
        Score.of("Negative log-likelihood", replace(found.nll, said=said), weighed, unit=nats, higher_is_better=False),
        Score("Negative evidence bound", -found.elbo, None, weighed, nats, False),
        Score.of("Rate", knows.rate, about, unit=nats),
        Score.of("Distortion", knows.distortion, about, unit=nats),
        Score.of("Mutual information", gained, about, unit=nats),
        Score("Misfit of posterior and prior", knows.prior_misfit, None, about, nats, False, at_most),
        Score.of("Active units", units, about),
    ]


def reconstruction_scores(
    model: TrainedModel, images: np.ndarray, told: np.ndarray | None, passport: Passport
) -> list[Score]:
    """How like their reconstructions held-out pictures are; empty for a model without an encoder, and for points."""
    if model.network.encode is None or model.network.image.points:
        return []
    x = images[:_N_SIMILAR]
    again = model.reconstruct(x, None if told is None else told[: len(x)])
    apart = np.square((x.astype(np.float64) - again) / 255).mean(axis=(1, 2, 3))
    how = replace(passport, n_real=len(x))
    loud = psnr(x, again)
    return [
        Score.of("PSNR of reconstructions", _mean(loud), how, unit="dB", higher_is_better=True),
        Score.of("SSIM of reconstructions", _mean(ssim(x, again)), how, higher_is_better=True),
        Score.of("MSE of reconstructions", _mean(apart), how, higher_is_better=False),
    ]


def obedience_scores(
    model: TrainedModel,
    images: ImageSet,
    rows: np.ndarray,
    samples: np.ndarray,
    asked: np.ndarray | None,
    passport: Passport,
) -> tuple[list[Score], tuple[str, ...]]:
    """How often samples show what was asked for, beside the probe's accuracy on real pictures; and lines by name."""
    spec = model.network.condition
    if spec is None or asked is None:
        return [], ()
    some = images.subset(np.sort(rows[:PROBE_SHOWN]))  # of classes, the probe that is the extractor too
    probe = probe_for(some, spec, n_shown=PROBE_SHOWN, seed=0)
    found: Obedience = obedience(probe, samples, asked)
    numbers = spec.kind == "numbers"
    name = f"Condition {'R^2' if numbers else 'accuracy'} ({spec.kind})"
    weights = weights_hash(probe.network.state_dict())
    details = {"kind": spec.kind, "names": len(spec.names)}
    how = replace(passport, extractor="probe", extractor_hash=weights, resize="none", details=details)
    one = estimate(found.overall, math.nan, "none") if numbers else share_estimate(found.overall, found.n)
    unit = "" if numbers else "share"
    score = Score.of(name, one, how, unit=unit, higher_is_better=True, floor=found.ceiling_overall)
    return [score], tuple(line.strip() for line in found.lines()[1:])


def disentanglement_scores(model: TrainedModel, images: ImageSet, passport: Passport, seed: int) -> list[Score]:
    """Whether single latents stand for single factors, where the data know theirs: the built-in faces and shapes.

    The floor is the same measure of the same codes, shuffled among the pictures.
    """
    network = model.network
    wanted = _FACTORS_OF.get(model.config.data.data.partition(":")[0])
    flat = len(network.latent.shape) == 1 and network.latent.shape[0] > 1
    if wanted is None or images.labels is None or network.encode is None or network.condition is not None or not flat:
        return []
    rng = np.random.default_rng(derive_seed(seed, "factors"))
    rows = np.sort(rng.permutation(len(images))[:_N_FACTORS])
    factors, ordered = known_factors(images.labels.take(rows), wanted)
    if len(ordered) < 2 or len(rows) < _MOST_VALUES:
        return []
    codes = model.encode(np.ascontiguousarray(images.images[rows])).astype(np.float64)
    if network.own_prior is None:
        codes /= max(float(codes.std()), 1e-12)  # collapsed is what varies by less than a twentieth of a prior's 1
    shuffled = codes[rng.permutation(len(codes))]
    how = replace(passport, n_real=len(rows), details={"factors": len(ordered), "latent": codes.shape[1]})
    scores = []
    gap, nothing = (mutual_information_gap(each, factors) for each in (codes, shuffled))
    few = (f"at most {gap.ceiling:.3f} with 20 bins",)
    scores.append(Score("MIG", gap.value, None, how, higher_is_better=True, said=few, floor=nothing.value))
    found = dci(codes, factors, seed=seed)  # forests of shuffled codes would take as long again
    for part, floor in (("disentanglement", None), ("completeness", None), ("informativeness", found.chance)):
        value = getattr(found, part)
        scores.append(Score(f"DCI {part}", value, None, how, higher_is_better=True, floor=floor))
    votes = [
        factor_vae_score(
            each, factors, rng=torch.Generator().manual_seed(derive_seed(seed, "votes")), n_votes=2000, n_asked=1000
        )
        for each in (codes, shuffled)
    ]
    scores.append(Score("FactorVAE score", votes[0], None, how, "share", True, floor=votes[1]))
    separated = [sap(each, factors, ordered=ordered) for each in (codes, shuffled)]
    scores.append(Score("SAP", separated[0], None, how, higher_is_better=True, floor=separated[1]))
    return scores


def known_factors(labels: Labels, wanted: tuple[str, ...]) -> tuple[np.ndarray, list[bool]]:
    """The wanted factors that vary, as whole numbers [N, K], and whether each has an order."""
    found: list[tuple[np.ndarray, bool]] = []
    if labels.classes is not None and "class" in wanted:
        found.append((labels.classes.values, False))
    for part in (labels.attributes, labels.numbers):
        if part is not None:
            found += [(part.values[:, index], True) for index, name in enumerate(part.names) if name in wanted]
    varying = [(_few_values(values), order) for values, order in found if len(np.unique(values)) > 1]
    columns = [values for values, _ in varying] or [np.empty(0, np.int64)]
    return np.stack(columns, axis=1), [order for _, order in varying]


def _few_values(values: np.ndarray) -> np.ndarray:
    """Ranks of values, in equally full bins where there are many, int64 [N]."""
    distinct, ranks = np.unique(values, return_inverse=True)
    if len(distinct) <= _MOST_VALUES:
        return ranks.astype(np.int64)
    return np.digitize(values, np.quantile(values, np.arange(1, _FACTOR_BINS) / _FACTOR_BINS)).astype(np.int64)


def _batches(model: TrainedModel, images: np.ndarray, told: np.ndarray | None) -> list[Batch]:
    parts = []
    for start in range(0, len(images), _BATCH):
        x = to_float(torch.from_numpy(np.array(images[start : start + _BATCH]))).to(model.device)
        c = None if told is None else torch.from_numpy(told[start : start + _BATCH]).float().to(model.device)
        parts.append(Batch(x, None if c is None else c[: len(x)]))
    return parts


def _mean(values: np.ndarray) -> Estimate:
    """Over pictures; equal pairs, whose ratio to noise is infinite, are left out and said."""
    finite = values[np.isfinite(values)]
    left = len(values) - len(finite)
    said = (f"{left:,} pictures that are reconstructed exactly are left out",) if left else ()
    if not len(finite):
        return estimate(math.inf, math.nan, "none", said)
    error = float(finite.std(ddof=1)) / math.sqrt(len(finite)) if len(finite) > 1 else math.nan
    return estimate(float(finite.mean()), error, "normal, over pictures", said)
