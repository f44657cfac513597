"""Networks of the caller's own, in place of those that the settings describe.

Letters: B pictures, C, H, W their shape, m of them judged together, D latents, h, w their grid, K conditions.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.models.critic import Judgement
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.models import VAESettings
from latentry.settings.specs import ConditionSpec, ImageSpec
from latentry.settings.vqvae import VQVAESettings

_N = 2  # pictures that a network is tried on


@dataclasses.dataclass(frozen=True)
class OwnNetworks:
    """The caller's own networks.

    Attributes:
        encoder: pictures in [-1, 1], [B, C, H, W], to [B, D] (autoencoder), [B, 2 D] (VAE: means, log-variances) or
            [B, D, h, w] (VQ-VAE).
        decoder: latents [B, D], or [B, D, h, w], to [B, C, H, W] or [B, C H W], without a final nonlinearity; of a GAN,
            the generator.
        critic: of a GAN, pictures [B / m, m C, H, W], m of them judged together, and their conditions [B, K] or None,
            to a `Judgement`.
    """

    encoder: nn.Module | None = None
    decoder: nn.Module | None = None
    critic: nn.Module | None = None

    @property
    def given(self) -> list[str]:
        """The names of those that are there."""
        return [field.name for field in dataclasses.fields(self) if getattr(self, field.name) is not None]

    def check(self, config: Config, image: ImageSpec, condition: ConditionSpec | None) -> None:
        """Try each on two black pictures or latents of zeros.

        Raises:
            InputError: the model has no use for one, or it fails or makes another shape than is needed.
        """
        settings = config.model
        for role, network, there in (
            ("encoder", self.encoder, not isinstance(settings, GANSettings)),
            ("critic", self.critic, isinstance(settings, GANSettings)),
        ):
            if network is not None and not there:
                raise InputError(f"{config.recipe} has no {role}; leave yours out, or take another recipe")
        x, z = torch.zeros(_N, *image.shape), torch.zeros(_N, settings.latent)
        told: tuple[Tensor, ...] = ()
        if condition is not None and not isinstance(settings, VQVAESettings):  # of which the token prior alone is told
            told = (torch.zeros(_N, condition.size),)
        if self.encoder is not None and isinstance(settings, VQVAESettings):
            z = torch.zeros(_N, settings.latent, *self.grid(image, settings.latent))
        elif self.encoder is not None:
            n = settings.latent * (2 if isinstance(settings, VAESettings) else 1)
            _expect("encoder makes", _tried("encoder", self.encoder, x, *told), (_N, n))
        if self.decoder is not None and (self.encoder is not None or not isinstance(settings, VQVAESettings)):
            made = _tried("decoder", self.decoder, z, *told)
            if isinstance(made, Tensor) and made.shape == (_N, image.n_values):
                made = made.reshape(_N, *image.shape)  # as the models do
            _expect("decoder makes", made, (_N, *image.shape))
        if self.critic is not None and isinstance(settings, GANSettings):
            packs = torch.zeros(_N, settings.packing * image.channels, image.height, image.width)
            judged = _tried("critic", self.critic, packs, *(told or (None,)))
            if not isinstance(judged, Judgement):
                raise InputError(
                    f"your critic gives a {type(judged).__name__}; it must give a "
                    "latentry.models.critic.Judgement(score, guess), guess being None where it makes none"
                )
            _expect("critic's score is", judged.score, (_N,))

    def grid(self, image: ImageSpec, latent: int) -> tuple[int, int]:
        """The height and width of what the encoder of a VQ-VAE makes of a picture.

        Raises:
            InputError: it makes no grid of `latent` channels.
        """
        assert self.encoder is not None
        made = _tried("encoder", self.encoder, torch.zeros(1, *image.shape))
        if not isinstance(made, Tensor) or made.ndim != 4 or made.shape[:2] != (1, latent):
            raise InputError(
                f"your encoder makes {_shape(made)} of one picture; a vq-vae needs [1, latent (={latent}), h, w]; "
                "end it with a convolution, or set latent"
            )
        return made.shape[2], made.shape[3]


@torch.no_grad()
def _tried(role: str, network: nn.Module, *given: Tensor | None) -> Any:
    """What a network makes of what it will be given; it is left as it was."""
    place = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    modes = [(part, part.training) for part in network.modules()]
    try:
        with torch.random.fork_rng(devices=[]):
            return network.eval()(*(None if part is None else part.to(place) for part in given))
    except Exception as error:  # whatever a network of somebody else's may raise
        shapes = " and ".join("None" if part is None else str(list(part.shape)) for part in given)
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"your {role} fails when it is given {shapes}: {reason}") from error
    finally:
        for part, training in modes:
            part.training = training


def _expect(what: str, made: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(made, Tensor) or tuple(made.shape) != shape:
        raise InputError(f"your {what} {_shape(made)} where {list(shape)} is needed; end the network accordingly")


def _shape(made: Any) -> str:
    return str(list(made.shape)) if isinstance(made, Tensor) else f"a {type(made).__name__}"
