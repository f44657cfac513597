"""The settings of the vector-quantised autoencoder and of the prior over its codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from latentry.errors import InputError
from latentry.settings.models import LikelihoodName


@dataclass(frozen=True)
class VQVAESettings:
    """An autoencoder whose latent is a grid of codes from a codebook, and the distribution of such grids."""

    codes: int = 512
    """codes in the codebook (K)."""
    latent: int = 16
    """numbers in one code."""
    likelihood: LikelihoodName = "gaussian"
    """reconstruction loss: gaussian is squared error, laplace absolute error, bernoulli cross-entropy."""
    sigma: float = 0.1
    """standard deviation (gaussian) or scale (laplace) of the noise on pixels, in units of the range [-1, 1]."""
    commitment: float = 0.25
    """weight of the squared distance that holds the encoder's outputs to their codes (the paper's beta)."""
    codebook: Literal["average", "gradient"] = "average"
    """how codes follow what they stand for: a moving average of it (VQ-VAE-2), or a loss of their own (VQ-VAE)."""
    codebook_decay: float = 0.99
    """decay, per step, of that average, and of the use that perplexity is computed from."""
    revival: float = 20.0
    """a code moves to an encoder output once unused for as long as an evenly used one takes to be chosen so often; 0
    never."""
    prior_width: int = 96
    """numbers at each position of the prior, a causal transformer over the grid of codes."""
    prior_blocks: int = 3
    """blocks of the prior."""
    prior_heads: int = 4
    """attention heads of each block; they divide prior-width."""
    prior_dropout: float = 0.1
    """share of each block's output that is dropped while training."""
    prior_lr: float = 4e-3
    """learning rate of the prior after warm-up."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if self.codes < 2:
            raise InputError(f"codes (={self.codes}) must be at least 2")
        for name in ("latent", "prior_width", "prior_blocks", "prior_heads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', '-')} (={getattr(self, name)}) must be at least 1")
        for name in ("sigma", "commitment", "prior_lr"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name.replace('_', '-')} (={getattr(self, name)}) must be above 0")
        for name in ("codebook_decay", "prior_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', '-')} (={getattr(self, name)}) must be at least 0 and below 1")
        if not self.revival >= 0:
            raise InputError(f"revival (={self.revival}) must be 0 (never) or more")
        if self.prior_width % self.prior_heads:
            raise InputError(
                f"prior-heads (={self.prior_heads}) must divide prior-width (={self.prior_width}); try "
                f"prior-width {-(-self.prior_width // self.prior_heads) * self.prior_heads}"
            )
