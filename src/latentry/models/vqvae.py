"""The vector-quantised variational autoencoder, and the prior over its codes that makes it a generator.

    van den Oord et al. 2017, "Neural discrete representation learning" (arXiv:1711.00937).
    Razavi et al. 2019, "Generating diverse high-fidelity images with VQ-VAE-2" (arXiv:1906.00446): averaged codebook.
    Dhariwal et al. 2020, "Jukebox" (arXiv:2005.00341): revival of codes that nothing is near.

Differs from the papers in: the prior is trained in the same steps as the autoencoder, on the tokens of the moment, and
is a small transformer; one grid of codes, not a hierarchy. Where there is a condition only the prior is told.

Letters: B batch, C H W picture, D numbers in a code, K codes, h w grid, T positions (h w), M numbers in a condition.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry.models.conditions import Conditions
from latentry.models.contract import Batch, Progress
from latentry.models.likelihood import Likelihood
from latentry.models.noise import NoiseSize
from latentry.models.optimise import build_optimiser, descend
from latentry.models.sampler import Noise, Samplers, draw_noise
from latentry.nn import Quantiser, TokenPrior, perplexity, straight_through, use_rng
from latentry.settings.specs import ConditionSpec, ImageSpec, LatentSpec
from latentry.settings.training import TrainingSettings
from latentry.settings.vqvae import VQVAESettings


class VQVAE(nn.Module):
    """Encoder, codebook, decoder, and the prior over grids of codes.

    Args:
        encoder: pictures in [-1, 1], [B, C, H, W], to vectors [B, D, h, w].
        decoder: codes [B, D, h, w] to the likelihood's raw parameters, [B, C, H, W].
        image: the size of the pictures.
        grid: h and w.
        settings: the choices that make up the variant.
        condition: what the prior is told; None for nothing.
    """

    tempered = True  # truncation is the temperature of its prior
    encode_sample = None  # a picture has one grid of codes
    log_prior = None  # there is no density between the codes

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        image: ImageSpec,
        grid: tuple[int, int],
        settings: VQVAESettings,
        condition: ConditionSpec | None = None,
    ) -> None:
        super().__init__()
        self.image, self.latent = image, LatentSpec((settings.latent, *grid), "autoregressive")
        self.condition = condition
        self.conditions = None if condition is None else Conditions(condition)
        self.encoder, self.decoder = encoder, decoder
        self.quantiser = Quantiser(settings.codes, settings.latent, learned=settings.codebook == "gradient")
        self.token_prior = TokenPrior(
            settings.codes,
            settings.latent,
            grid[0] * grid[1],
            width=settings.prior_width,
            blocks=settings.prior_blocks,
            heads=settings.prior_heads,
            dropout=settings.prior_dropout,
            condition=condition,
        )
        self.likelihood = Likelihood(settings.likelihood, settings.sigma)
        self.samplers = Samplers(settings.latent)
        self.noise_size = NoiseSize(uniform=grid[0] * grid[1], normal=0)

    def encode(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """The codes [B, D, h, w] of pictures in [-1, 1], [B, C, H, W]."""
        codes: Tensor = self.quantiser(self.encoder_output(x))[1]
        return codes

    def encoder_output(self, x: Tensor) -> Tensor:
        """Vectors [B, D, h, w], before they are quantised, of pictures in [-1, 1], [B, C, H, W]."""
        return self.encoder(x).float()

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Pictures in [-1, 1], [B, C, H, W], of vectors [B, D, h, w], which need not be codes."""
        return self.likelihood.picture(self.decoder_output(z))

    def decoder_output(self, z: Tensor) -> Tensor:
        """The likelihood's parameters [B, C, H, W] for vectors [B, D, h, w]."""
        return self.decoder(z).float().view(z.shape[0], *self.image.shape)

    def prior(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Codes [n, D, h, w] from the prior, under conditions [n, M] or under some that the data have."""
        if condition is None and self.conditions is not None:
            condition = self.conditions.draw(n, rng=rng)
        return self.own_prior(n, rng=rng, condition=condition)

    def own_prior(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Codes [n, D, h, w] from the prior under conditions [n, M]."""
        return self.from_noise(draw_noise(n, self.noise_size, rng), condition)

    def from_noise(self, noise: Noise, condition: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """Codes [B, D, h, w] from the prior.

        Args:
            noise: one uniform number chooses each code, in raster order.
            condition: what the prior is told, [B, M].
            truncation: temperature of the prior; below 1 it prefers likely codes, at 0 it takes the likeliest.
        """
        tokens = self.token_prior.sample(noise.uniform, self.quantiser.codebook, condition, truncation)
        return self.quantiser.vectors(tokens.view(-1, *self.latent.shape[1:]))


class VQVAEMethod:
    """Trains a `VQVAE`: each step is one of the autoencoder, van den Oord et al. 2017, Eq. 3, and one of the prior.

    Args:
        module: the model to train.
        settings: weights of the objective, and how the codebook follows.
        training: the optimisers' settings.
        n_data: how many pictures there are to train on: an epoch, over which the use of codes is counted.
    """

    def __init__(self, module: VQVAE, settings: VQVAESettings, training: TrainingSettings, n_data: int) -> None:
        self.module, self.settings, self.n_data, self.training = module, settings, n_data, training
        self.model, self.batches = module, 1
        prior = list(module.token_prior.parameters())
        rest = [w for w in module.parameters() if w.requires_grad and not any(w is p for p in prior)]
        self.optimisers = {
            "autoencoder": build_optimiser(rest, training),
            "prior": build_optimiser([{"params": prior, "lr_scale": settings.prior_lr / training.lr}], training),
        }

    def step(self, batch: Batch, rng: torch.Generator, progress: Progress) -> dict[str, Tensor]:
        """One update of the networks, of the codebook, and of the prior on the tokens that the step found."""
        model, settings = self.module, self.settings
        use_rng(rng)

        def objective(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
            part = batch.rows(rows)
            z = model.encoder_output(part.x)
            tokens, codes = model.quantiser(z)
            reconstruction, commitment = self._autoencoder(model, part, z, codes)
            loss = reconstruction + settings.commitment * commitment
            if settings.codebook == "gradient":
                loss = loss + squared_distance(z.detach(), codes)
            return loss, {"reconstruction": reconstruction, "commitment": commitment, "z": z, "tokens": tokens}

        _, found = descend(self.optimisers["autoencoder"], objective, len(batch.x), rng, self.training)
        z, tokens = found.pop("z"), found.pop("tokens")

        def prior_objective(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
            return self._prior_nll(model, tokens[rows], batch.rows(rows).condition), {}

        prior_nll, _ = descend(self.optimisers["prior"], prior_objective, len(batch.x), rng, self.training)
        model.quantiser.follow(z, tokens, settings.codebook_decay)
        if settings.revival:
            model.quantiser.revive(z, settings.revival, rng)
        means = {name: value.mean() for name, value in {**found, "prior_nll": prior_nll}.items()}
        return {
            "loss": means["reconstruction"] + means["prior_nll"],
            **means,
            "perplexity": perplexity(model.quantiser.use),
            "code_usage": model.quantiser.usage(self.n_data),
        }

    def score(self, model: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """The terms per picture; "loss" bounds -log p(x), by the one grid of codes that the encoder names."""
        assert isinstance(model, VQVAE)
        z = model.encoder_output(batch.x)
        tokens, codes = model.quantiser(z)
        reconstruction, commitment = self._autoencoder(model, batch, z, codes)
        prior_nll = self._prior_nll(model, tokens, batch.condition)
        loss = reconstruction + prior_nll
        return {"loss": loss, "reconstruction": reconstruction, "commitment": commitment, "prior_nll": prior_nll}

    def _autoencoder(self, model: VQVAE, batch: Batch, z: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction in nats per image, and the distance that commits the encoder to the codes, [B] each."""
        output = model.decoder_output(straight_through(z, codes))
        return model.likelihood.negative_log(output, batch.x), squared_distance(z, codes.detach())

    def _prior_nll(self, model: VQVAE, tokens: Tensor, condition: Tensor | None) -> Tensor:
        """-log p(tokens) in nats per image, [B], of grids [B, h, w]."""
        tokens = tokens.flatten(1)
        return token_nll(model.token_prior(tokens, model.quantiser.codebook, condition), tokens)


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """The squared distance of two grids of vectors [B, D, h, w], summed over positions, [B]."""
    return (a - b).square().flatten(1).sum(dim=1)


def token_nll(logits: Tensor, tokens: Tensor) -> Tensor:
    """-log p(tokens) in nats per image, [B], of indices [B, T] under logits [B, T, K]."""
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape).sum(dim=1)
