"""From settings to a model and to the method that trains it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentry.models.autoencoder import Autoencoder, AutoencoderMethod
from latentry.models.contract import Method
from latentry.models.vae import VAE, VAEMethod
from latentry.nn import build_decoder, build_encoder, initialise
from latentry.settings.config import Config
from latentry.settings.models import AutoencoderSettings, VAESettings
from latentry.settings.specs import ImageSpec

Model = Autoencoder | VAE


def build_model(
    config: Config, image: ImageSpec, *, encoder: nn.Module | None = None, decoder: nn.Module | None = None
) -> Model:
    """The model that the settings describe, without meaningful weights; see `initialise_model`.

    Args:
        config: model family and networks.
        image: the size of the pictures.
        encoder, decoder: the caller's own networks, in place of those that the settings describe. An encoder maps
            pictures [B, C, H, W] to [B, D] (autoencoder) or [B, 2 D] (VAE: means, then log-variances); a decoder maps
            latents [B, D] to [B, C, H, W], without a final nonlinearity.
    """
    settings = config.model
    outputs = settings.latent if isinstance(settings, AutoencoderSettings) else 2 * settings.latent
    encoder = encoder if encoder is not None else build_encoder(config.network, image, outputs)
    decoder = decoder if decoder is not None else build_decoder(config.network, settings.latent, image)
    match settings:
        case AutoencoderSettings():
            return Autoencoder(encoder, decoder, image, settings)
        case VAESettings():
            return VAE(encoder, decoder, image, settings)


@torch.no_grad()
def initialise_model(model: Model, examples: Tensor, rng: torch.Generator, *, own: tuple[nn.Module, ...] = ()) -> None:
    """First weights, from `rng` alone; the caller's own networks (`own`) keep theirs.

    Args:
        model: as built.
        examples: training pictures in [-1, 1], [N, C, H, W]; a VampPrior's pseudo-inputs start from them.
        rng: source of randomness, on the CPU.
        own: networks to leave as they are.
    """
    for network in (model.encoder, model.decoder):
        if not any(network is theirs for theirs in own):
            initialise(network, rng)
    if isinstance(model, VAE) and model.vampprior is not None:
        pseudo = model.vampprior.pseudo_inputs
        rows = torch.randint(len(examples), (len(pseudo),), generator=rng)
        pseudo.copy_(examples[rows] + 0.05 * torch.randn(pseudo.shape, generator=rng))


def build_method(config: Config, model: Model, n_data: int) -> Method:
    """The method that trains `model` on `n_data` pictures."""
    match model, config.model:
        case Autoencoder(), AutoencoderSettings() as settings:
            return AutoencoderMethod(model, settings, config.training)
        case VAE(), VAESettings() as settings:
            return VAEMethod(model, settings, config.training, n_data)
    raise AssertionError("the model was not built from this config")
