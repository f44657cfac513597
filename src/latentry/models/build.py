"""From settings to a model and to the method that trains it."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from latentry.models.autoencoder import Autoencoder, AutoencoderMethod
from latentry.models.conditions import N_EXAMPLES
from latentry.models.contract import Batch, Method
from latentry.models.critic import Critic
from latentry.models.gan import GAN, GANMethod
from latentry.models.own import OwnNetworks
from latentry.models.vae import VAE, VAEMethod
from latentry.models.vqvae import VQVAE, VQVAEMethod
from latentry.nn import (
    build_decoder,
    build_encoder,
    build_features,
    build_grid_decoder,
    build_grid_encoder,
    follow_spectra,
    initialise,
    normalise_spectrally,
    plan_grid,
)
from latentry.nn.layers import LINEAR_GAIN, Layer
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.models import AutoencoderSettings, VAESettings
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ConditionSpec, ImageSpec
from latentry.settings.vqvae import VQVAESettings

Model = Autoencoder | VAE | VQVAE | GAN
"""A generator with a latent space.

Every family has the specs `image`, `latent` and `condition`, the fitted `samplers`, `prior(n, rng=, condition=)` to
latents [n, *latent.shape], and a deterministic `decode(z, condition)` to pictures in [-1, 1], [n, C, H, W].

What a family cannot do is None there: `conditions` (of its data, to draw from), `encode(x, condition)` (deterministic)
and `encode_sample(x, rng, condition)` to latents, `own_prior(n, rng=, condition=)` (latents of the model's own
distribution, whichever sampler was chosen) and `log_prior(z)`, that distribution's density. Where there is an own
prior, `from_noise` makes its latents of as many numbers as `noise_size` says; `tempered` tells whether truncation is
its temperature.
"""

# Gains of the first layer of an autoencoder's or VAE's decoder: it starts with small weights, so that the decoder
# almost ignores the latents until they carry information. With LINEAR_GAIN the held-out loss settles higher (and a
# VAE's KL): on photographs of 32 px by 84 nats a picture for `vae` after 40,000 images and by 38 for `autoencoder`
# after 24,000; 0.03 is as good. A fully connected decoder wants to hear more: there 0.1 costs 125 nats on the
# photographs after 40,000 images, and 3 to 5 on MNIST after 240,000.
_FAINT, _FAINT_MLP = 0.1, 0.5
_N_FIRST_CODES = 256  # pictures whose encoder outputs the codes start from


def build_model(
    config: Config, image: ImageSpec, condition: ConditionSpec | None = None, own: OwnNetworks | None = None
) -> Model:
    """The model that the settings describe, without meaningful weights; see `initialise_model`.

    Args:
        config: model family and networks.
        image: the size of the pictures.
        condition: what the model is told.
        own: the caller's own networks.

    Raises:
        InputError: one of those is not what the model takes, or the settings describe no network for such pictures.
    """
    own, settings, network = own or OwnNetworks(), config.model, config.network
    own.check(config, image, condition)
    if isinstance(settings, VQVAESettings):
        return _build_quantised(settings, network, image, condition, own)
    in_norms = config.condition.condition_by == "norm"
    decoder = own.decoder or build_decoder(
        network,
        settings.latent,
        image,
        gain=_first_gain(config),
        beside=None if in_norms else condition,
        in_norms=condition if in_norms else None,
    )
    match settings:
        case AutoencoderSettings():
            encoder = own.encoder or build_encoder(network, image, settings.latent)
            return Autoencoder(encoder, decoder, image, settings)
        case VAESettings():
            encoder = own.encoder or build_encoder(network, image, 2 * settings.latent, condition)
            return VAE(encoder, decoder, image, settings, condition)
        case GANSettings():
            return GAN(decoder, image, settings, condition)


def _first_gain(config: Config) -> float:
    """Of the decoder's or generator's first layer."""
    if isinstance(config.model, GANSettings):
        return LINEAR_GAIN
    return _FAINT_MLP if config.network.backbone == "mlp" else _FAINT


def _build_quantised(
    settings: VQVAESettings,
    network: NetworkSettings,
    image: ImageSpec,
    condition: ConditionSpec | None,
    own: OwnNetworks,
) -> VQVAE:
    """A `VQVAE`; the grid is what its encoder makes of a picture."""
    encoder = own.encoder or build_grid_encoder(network, image, settings.latent)
    decoder = own.decoder or build_grid_decoder(network, settings.latent, image)
    if own.encoder is None:
        plan = plan_grid(network, image)
        grid = (plan.height, plan.width)
    else:
        grid = own.grid(image, settings.latent)
    return VQVAE(encoder, decoder, image, grid, settings, condition)


def critic_network(config: Config) -> NetworkSettings:
    """The critic's network: the generator's mirror, but for what the critic's own settings say."""
    critic, network = config.critic, config.network
    return dataclasses.replace(
        network,
        width=critic.critic_width or network.width,
        width_max=max(network.width_max, critic.critic_width or 0),
        hidden=critic.critic_hidden or tuple(network.hidden),
        blocks=critic.critic_blocks or network.blocks,
        norm=critic.critic_norm,
        norm_first=False,
        activation=critic.critic_activation,
        downsampling=critic.critic_downsampling,
        dropout=critic.critic_dropout,
    )


def build_critic(config: Config, image: ImageSpec, condition: ConditionSpec | None) -> Critic:
    """The critic that the settings describe, without meaningful weights; it judges `packing` pictures at once."""
    game = config.model
    assert isinstance(game, GANSettings)
    packed = dataclasses.replace(image, channels=game.packing * image.channels)
    beside = condition if game.critic_condition == "concatenation" else None
    critic = Critic(build_features(critic_network(config), packed, beside), condition, game.critic_condition)
    if game.constraint == "spectral":
        normalise_spectrally(critic)
    return critic


@torch.no_grad()
def initialise_model(
    model: Model,
    examples: Batch,
    rng: torch.Generator,
    *,
    std: float | None = None,
    own: OwnNetworks | None = None,
) -> None:
    """First weights, from `rng` alone; the caller's own networks keep theirs.

    Args:
        model: as built.
        examples: training pictures in [-1, 1], [N, C, H, W], from which a VampPrior's pseudo-inputs are drawn, and
            their conditions [N, K], among which are those that the model draws from.
        rng: source of randomness, on the CPU.
        std: standard deviation of first weights; None keeps the variance from layer to layer.
        own: networks to leave as they are.
    """
    own = own or OwnNetworks()
    if not isinstance(model, GAN) and own.encoder is None:
        initialise(model.encoder, rng, std)
    if own.decoder is None:
        initialise(model.decoder, rng, std)
        if isinstance(model, Autoencoder | VAE):
            _start_at_the_mean(model, examples.x)
    if isinstance(model, VAE) and model.vampprior is not None:
        pseudo = model.vampprior.pseudo_inputs
        rows = torch.randint(len(examples.x), (len(pseudo),), generator=rng)
        pseudo.copy_(examples.x[rows] + 0.05 * torch.randn(pseudo.shape, generator=rng))
    if isinstance(model, VQVAE):
        initialise(model.token_prior, rng)
        model.encoder.eval()  # batch statistics and dropout are for training
        model.quantiser.start(model.encoder_output(examples.x[:_N_FIRST_CODES]), rng)
        model.encoder.train()
    if model.conditions is not None:
        assert examples.condition is not None
        rows = torch.randint(len(examples.condition), (N_EXAMPLES,), generator=rng)
        model.conditions.examples.copy_(examples.condition[rows])


def _start_at_the_mean(model: Autoencoder | VAE, x: Tensor) -> None:
    """Let a fully connected decoder's first output be the mean of pictures [N, C, H, W], by its last bias.

    What all pictures share is then not learnt through the latents, whose KL would be driven to zero meanwhile: on MNIST
    whose pixels are drawn anew, after four epochs, a VAE of two layers of 200 units loses 117 nats a picture for 151
    (tanh), 111 for 123 (silu) and 116 for 118 (relu), the difference in `_FAINT_MLP` included. A convolution's bias has
    only colours to start from. Where outputs are logits that helps (MNIST, an epoch: 161 nats for 167), elsewhere not
    (`faces`, 10,000 images: 16,562 for 14,372).
    """
    last = [layer for layer in model.decoder.modules() if isinstance(layer, Layer)][-1]
    mean = x.mean(dim=0)
    for start in (mean, mean.mean(dim=(1, 2))) if model.likelihood.on_logits else (mean,):
        if last.bias is not None and last.bias.numel() == start.numel() * last.copies:
            last.bias.copy_(model.likelihood.output_for(start).flatten().repeat_interleave(last.copies))
            return


def build_method(
    config: Config, model: Model, n_data: int, rng: torch.Generator, critic: nn.Module | None = None
) -> Method:
    """The method that trains `model`.

    Args:
        config: what the model was built from.
        model: on the device where it is trained.
        n_data: how many pictures it is trained on.
        rng: source of randomness for what is not part of the model, on the CPU.
        critic: the caller's own, of a GAN.
    """
    match model, config.model:
        case Autoencoder(), AutoencoderSettings() as settings:
            return AutoencoderMethod(model, settings, config.training)
        case VAE(), VAESettings() as settings:
            return VAEMethod(model, settings, config.training, n_data)
        case VQVAE(), VQVAESettings() as settings:
            return VQVAEMethod(model, settings, config.training, n_data)
        case GAN(), GANSettings():
            if critic is None:
                critic = build_critic(config, model.image, model.condition)
                initialise(critic, rng, config.network.init_std)
                follow_spectra(critic, first=True)
            return GANMethod(model, critic.to(next(model.parameters()).device), config)
    raise AssertionError("the model was not built from this config")
