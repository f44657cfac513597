"""What an encoder puts into its latents or codes: nothing, too little, too much, or the pictures by heart."""

from __future__ import annotations

import math

from latentry.settings.gan import GANSettings
from latentry.settings.models import VAESettings
from latentry.settings.vqvae import VQVAESettings
from latentry.training.doctor.finding import Case, Finding

_NO_KL = 0.5  # nats in all: less than telling two halves of the pictures apart
_LITTLE = 0.35  # of the pictures' variance that reconstructions explain
# What the objective takes for noise on a pixel, sigma sqrt(beta), over what reconstructions are wrong by: one where the
# two agree (Rybkin et al. 2021, section 3). The recipe `vae` ends between 0.5 and 1, beta 100 at 6, sigma 10 at 36.
_WEIGHED_UP = 3.0
_VERY_NOISY = 20.0  # foster-vae-faces, whose weights are the book's, is at 11 with a beta of 12.3
_HEAVY = 20.0
_WEIGHED_DOWN = 0.1
_CODES = 0.1  # of the codebook that is used
_GAP = 0.1  # of the training loss, by which the held-out loss is above it
_RISEN = 0.03  # of its least value, by which the held-out loss has risen since


def posterior_collapse(case: Case) -> Finding | None:
    """The latent says nothing of the picture."""
    model, kl = case.config.model, case.recent("held_out", "kl")
    units = case.last("held_out", "active_units")
    if not isinstance(model, VAESettings) or not kl or (max(kl) > _NO_KL and units != 0):
        return None
    if case.young or case.progress < 0.25 or (case.last("signals", "explained") or 0.0) > _LITTLE:
        return None
    return Finding(
        "posterior collapse",
        f"{units} of {model.latent} latent numbers follow the picture, with {kl[-1]:.2g} nats in all{_fullest(case)}",
        _why_collapsed(model),
        _less_kl(model),
        case.curve("KL, nats per image", "held_out", "kl", above=_NO_KL),
    )


def kl_too_strong(case: Case) -> Finding | None:
    """The objective takes for noise what the decoder could reproduce."""
    model, ratio = case.config.model, _noise_ratio(case)
    kl = case.recent("held_out", "kl")
    if not isinstance(model, VAESettings) or ratio is None or not kl or case.young or case.progress < 0.5:
        return None
    if ratio < _WEIGHED_UP or (model.beta < _HEAVY and ratio < _VERY_NOISY):
        return None
    return Finding(
        "KL too strong",
        f"sigma {model.sigma:g} under beta {model.beta:g} allows pixels to be wrong by {_allowed(model):.2g}, but they "
        f"are wrong by {_allowed(model) / ratio:.2g}; the latent holds {kl[-1]:.3g} nats",
        f"One more nat in the latent would save about {max(1.0, model.beta):,.0f} nats of reconstruction, and is not "
        "spent: pictures come out blurred.",
        _less_kl(model),
        case.curve("KL, nats per image", "held_out", "kl"),
    )


def kl_too_weak(case: Case) -> Finding | None:
    """Hardly anything holds the codes to the prior: reconstructions are sharp, samples from the prior are not."""
    model, ratio, kl = case.config.model, _noise_ratio(case), case.recent("held_out", "kl")
    if not isinstance(model, VAESettings) or ratio is None or not kl or case.young or case.progress < 0.25:
        return None
    if ratio > _WEIGHED_DOWN or model.beta >= 1 or model.objective != "elbo":
        return None
    coverage = case.recent("signals", "pictures", "coverage", n=1)
    near = f", and {coverage[-1]:.0%} of real pictures have a sample near" if coverage else ""
    return Finding(
        "KL too weak",
        f"at beta {model.beta:g} the latent holds {kl[-1]:,.0f} nats (at first {case.values('held_out', 'kl')[0]:,.0f})"
        f"{near}",
        "Hardly anything holds the codes to the prior, so a latent drawn from it decodes to no real picture.",
        f"--beta 1 (now {model.beta:g}); --sampler auto helps, which fits a distribution to the codes",
        case.curve("KL, nats per image", "held_out", "kl"),
    )


def codebook_collapse(case: Case) -> Finding | None:
    """Few of the codes are used."""
    model, usage, perplexity = case.config.model, case.recent("train", "code_usage"), case.last("train", "perplexity")
    if not isinstance(model, VQVAESettings) or not usage or max(usage) > _CODES or perplexity is None:
        return None
    fewer = f"--codes {max(16, 2 ** math.ceil(math.log2(max(2.0, perplexity))))} (now {model.codes})"
    return Finding(
        "codebook collapse",
        f"{usage[-1]:.1%} of {model.codes:,} codes are used, as if there were {perplexity:,.0f}",
        "Codes that no picture is near get no gradient; or there are more codes than the pictures need.",
        fewer if model.revival else f"--revival 20 (now 0), or {fewer}",
        case.curve("share of codes used", "train", "code_usage", above=_CODES),
    )


def overfitting(case: Case) -> Finding | None:
    """The held-out loss has turned and rises, far above the training loss."""
    if isinstance(case.config.model, GANSettings):
        return None
    held_out, train = case.values("held_out", "reconstruction"), case.values("train", "reconstruction")
    if case.young or len(held_out) < 6 or not all(map(math.isfinite, held_out + train)):
        return None
    recent, least = held_out[-3:], min(held_out)
    scale = max(abs(train[-1]), 1e-9)
    if min(recent) < least + _RISEN * abs(least) or recent[-1] - train[-1] < _GAP * scale:
        return None
    return Finding(
        "overfitting",
        f"held-out reconstruction was {least:,.0f} nats and is {recent[-1]:,.0f}, in training it is {train[-1]:,.0f}",
        "The network goes on learning the training pictures themselves.",
        f"more pictures, {'' if case.config.data.flip == 'yes' else '--flip yes, '}a smaller --width; the best "
        "checkpoint so far is what is kept",
        case.curve("held-out reconstruction, nats", "held_out", "reconstruction"),
    )


def _fullest(case: Case) -> str:
    per_dimension = case.last("held_out", "kl_per_dimension")
    return f" and {max(per_dimension):.2g} in the fullest" if per_dimension else ""


def _allowed(model: VAESettings) -> float:
    """The noise on a pixel that the objective allows for, in units of the range [-1, 1]."""
    return model.sigma * math.sqrt(model.beta)


def _noise_ratio(case: Case) -> float | None:
    """That noise over the root mean square error of held-out pixels; None where the likelihood is not such a Gaussian.

    The error follows from the nats, n / 2 ln(2 pi sigma^2) + error^2 n / (2 sigma^2) for n values.
    """
    model, image, nats = case.config.model, case.data.get("image"), case.recent("held_out", "reconstruction")
    if not isinstance(model, VAESettings) or model.likelihood != "gaussian" or not nats or image is None:
        return None
    n = image["channels"] * image["height"] * image["width"]
    variance = model.sigma**2
    squared = variance * (2 * nats[-1] / n - math.log(2 * math.pi * variance))
    return _allowed(model) / math.sqrt(squared) if squared > 0 else None


def _why_collapsed(model: VAESettings) -> str:
    if model.beta > 1:
        return f"beta {model.beta:g} makes every nat in the latent cost more than it saves in reconstruction."
    if model.likelihood in ("gaussian", "laplace") and model.sigma > 0.5:
        return f"With sigma {model.sigma:g} the likelihood takes the pictures for noise, and there is nothing to tell."
    return "The KL term won before the decoder had learnt to use the latent."


def _less_kl(model: VAESettings) -> str:
    if model.beta > 1:
        return f"--beta {max(1.0, model.beta / 10):g} (now {model.beta:g})"
    if model.likelihood in ("gaussian", "laplace") and model.sigma > 0.5:
        return f"--sigma 0.1 (now {model.sigma:g}), or --likelihood gaussian-learned"
    return "--beta-warmup 0.3, or --free-bits 0.1"
