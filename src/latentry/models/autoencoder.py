"""The autoencoder and the denoising autoencoder.

    Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks" (Science 313).
    Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders" (ICML).

Differs from the papers in: convolutional networks trained end to end with Adam; the reconstruction loss is stated as
a likelihood, in nats per image. Letters: B batch, C H W picture, D latent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentry.models.contract import Batch, Progress
from latentry.models.likelihood import Likelihood
from latentry.models.optimise import build_optimiser, descend
from latentry.models.sampler import Samplers
from latentry.nn import use_rng
from latentry.ranks import normal, uniform
from latentry.settings.models import AutoencoderSettings
from latentry.settings.specs import ConditionSpec, ImageSpec, LatentSpec
from latentry.settings.training import TrainingSettings


class Autoencoder(nn.Module):
    """Encoder and decoder.

    Args:
        encoder: pictures in [-1, 1], [B, C, H, W], to latents [B, D].
        decoder: latents [B, D] to the likelihood's raw parameters, [B, C, H, W].
        image: the size of the pictures.
        settings: the choices that make up the variant.
    """

    condition: ConditionSpec | None = None
    conditions = None
    own_prior = None  # new latents come from a fitted sampler alone
    log_prior = None
    tempered = False

    def __init__(self, encoder: nn.Module, decoder: nn.Module, image: ImageSpec, settings: AutoencoderSettings) -> None:
        super().__init__()
        self.image, self.latent = image, LatentSpec((settings.latent,), "fitted")
        self.encoder, self.decoder = encoder, decoder
        self.likelihood = Likelihood(settings.likelihood, settings.sigma)
        self.samplers = Samplers(settings.latent)

    def encode(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Latents [B, D] of pictures in [-1, 1], [B, C, H, W]."""
        return self.encoder(x).float()

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Pictures in [-1, 1], [B, C, H, W], of latents [B, D]."""
        return self.likelihood.picture(self.decoder_output(z))

    def decoder_output(self, z: Tensor) -> Tensor:
        """The likelihood's parameters [B, C, H, W] for latents [B, D]."""
        return self.decoder(z).float().view(z.shape[0], *self.image.shape)

    def encode_sample(self, x: Tensor, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """The same as `encode`: the code of a picture is not random."""
        return self.encode(x)

    def prior(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D] from the fitted sampler; an autoencoder has no prior of its own."""
        return self.samplers.draw(n, own=None, rng=rng)


class AutoencoderMethod:
    """Trains an `Autoencoder` on the reconstruction of its (possibly corrupted) input.

    Args:
        module: the model to train.
        settings: the corruption.
        training: the optimiser's settings.
    """

    def __init__(self, module: Autoencoder, settings: AutoencoderSettings, training: TrainingSettings) -> None:
        self.module, self.settings, self.training = module, settings, training
        self.model, self.batches = module, 1
        self.optimisers = {
            "autoencoder": build_optimiser([w for w in module.parameters() if w.requires_grad], training)
        }

    def step(self, batch: Batch, rng: torch.Generator, progress: Progress) -> dict[str, Tensor]:
        """Corrupt, encode, decode, and descend the distance to the uncorrupted picture."""
        use_rng(rng)

        def objective(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
            x = batch.x[rows]
            corrupted = corrupt(x, self.settings.noise, self.settings.masking, rng)
            output = self.module.decoder_output(self.module.encode(corrupted))
            return self.module.likelihood.negative_log(output, x), {}

        loss, _ = descend(self.optimisers["autoencoder"], objective, len(batch.x), rng, self.training)
        return {"loss": loss.mean(), "reconstruction": loss.mean()}

    def score(self, model: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """The reconstruction term per picture, from uncorrupted input."""
        assert isinstance(model, Autoencoder)
        mu = model.encode(batch.x)
        loss = model.likelihood.negative_log(model.decoder_output(mu), batch.x)
        return {"loss": loss, "reconstruction": loss, "mu": mu}


def corrupt(x: Tensor, noise: float, masking: float, rng: torch.Generator) -> Tensor:
    """Add Gaussian noise and blank pixels to 0, x in [-1, 1], [B, C, H, W]; Vincent et al. 2008, section 2.3."""
    if noise:
        x = x + noise * normal(x.shape, rng)
    if masking:
        kept = uniform((len(x), 1, *x.shape[2:]), rng) >= masking
        x = x * kept
    return x
