"""Vector quantisation: each vector of a grid is replaced by the nearest of K learned codes.

    van den Oord et al. 2017, "Neural discrete representation learning" (arXiv:1711.00937): codes, straight-through.
    Razavi et al. 2019, "Generating diverse high-fidelity images with VQ-VAE-2" (arXiv:1906.00446): averaged codes.
    Dhariwal et al. 2020, "Jukebox" (arXiv:2005.00341): codes that die are moved onto encoder outputs.

Differs from the papers in: the average starts with hardly any weight, so the first batches place the codes; a code is
dead by the time since it was last chosen, not by an average of its use.

Letters: B batch, D numbers in a code, K codes, h w grid, N vectors (B h w).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentry.ranks import own_indices, ranks_here, sum_over_ranks

_NO_WEIGHT = 1e-6  # of a code's average where it has not been chosen for long


def nearest_codes(z: Tensor, codebook: Tensor) -> Tensor:
    """The index of the code nearest to each vector, int64 [N], for vectors [N, D] and codes [K, D]; Eq. 1.

    Args:
        z: vectors.
        codebook: codes; of equally near ones the first is taken.
    """
    with torch.autocast(z.device.type, enabled=False):  # neighbours differ by less than bfloat16 resolves
        return (codebook.square().sum(dim=1) - 2 * z.float() @ codebook.T).argmin(dim=1)


def straight_through(z: Tensor, quantised: Tensor) -> Tensor:
    """The value of `quantised`, exactly, with the gradient of `z`; van den Oord et al. 2017, section 3.2."""
    return quantised.detach() + (z - z.detach())


def perplexity(use: Tensor) -> Tensor:
    """How many codes are in use as if evenly, exp(entropy): K for even use [K], 1 where one code has it all."""
    share = use / use.sum().clamp(min=torch.finfo(use.dtype).tiny)
    return torch.special.entr(share).sum().exp()


class Quantiser(nn.Module):
    """A codebook, how its codes follow the vectors they stand for, and what is known of their use.

    Args:
        codes: K.
        latent: D.
        learned: whether codes have a gradient; otherwise `follow` moves them.
    """

    def __init__(self, codes: int, latent: int, *, learned: bool) -> None:
        super().__init__()
        self.learned = learned
        self.codebook: Tensor
        if learned:
            self.codebook = nn.Parameter(torch.zeros(codes, latent))
        else:
            # The average of weights that is sampled copies buffers as they are, and these codes are averages already.
            # On photographs the bound was 1 to 2 nats better so than with codes averaged twice, at every checkpoint.
            self.register_buffer("codebook", torch.zeros(codes, latent))
        self.use: Tensor
        self.seen: Tensor
        self.chosen_at: Tensor
        self.revived_at: Tensor
        self.register_buffer("use", torch.full((codes,), _NO_WEIGHT))  # average number of vectors a step
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # pictures so far
        self.register_buffer("chosen_at", torch.zeros(codes, dtype=torch.int64))  # `seen` when last chosen, 0 for never
        self.register_buffer("revived_at", torch.zeros(codes, dtype=torch.int64))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The codes' indices, int64 [B, h, w], and the codes [B, D, h, w], of vectors [B, D, h, w]."""
        b, d, h, w = z.shape
        tokens = nearest_codes(z.detach().movedim(1, -1).reshape(-1, d), self.codebook.detach()).view(b, h, w)
        return tokens, self.vectors(tokens)

    def vectors(self, tokens: Tensor) -> Tensor:
        """The codes [B, D, h, w] of indices [B, h, w]."""
        return nn.functional.embedding(tokens, self.codebook).movedim(-1, 1)

    @torch.no_grad()
    def start(self, z: Tensor, rng: torch.Generator) -> None:
        """Begin with codes that are encoder outputs, drawn from vectors [B, D, h, w]."""
        rows = _rows(z)
        self.codebook.copy_(_drawn(rows, len(self.codebook), rng))

    @torch.no_grad()
    def follow(self, z: Tensor, tokens: Tensor, decay: float) -> None:
        """Count the use of codes and, unless they have a gradient, move them to the mean of what they stand for.

        Razavi et al. 2019, section 2.1, with the sum m_i written as N_i e_i, so that a code that is not chosen keeps
        its place exactly.

        Args:
            z: encoder outputs of a step's pictures, [B, D, h, w].
            tokens: what they were quantised to, [B, h, w].
            decay: gamma of the average.
        """
        rows, flat, (k, _) = _rows(z), tokens.flatten(), self.codebook.shape
        # Not torch.bincount, which waits for the device to learn how long its answer is.
        count = sum_over_ranks(flat.new_zeros(k).index_add_(0, flat, torch.ones_like(flat)))
        n = count.to(self.use.dtype)
        self.seen += len(z) * ranks_here().world
        self.chosen_at.copy_(torch.where(count > 0, self.seen, self.chosen_at))
        self.use.mul_(decay).add_(n, alpha=1 - decay).clamp_(min=_NO_WEIGHT)
        if not self.learned:
            total = sum_over_ranks(torch.zeros_like(self.codebook).index_add_(0, flat, rows))
            self.codebook.add_((1 - decay) * (total - n[:, None] * self.codebook) / self.use[:, None])

    @torch.no_grad()
    def revive(self, z: Tensor, patience: float, rng: torch.Generator) -> None:
        """Move dead codes onto encoder outputs drawn from [B, D, h, w].

        Args:
            z: encoder outputs of the step.
            patience: a code is dead once it has gone unused for as long as an evenly used one takes to be chosen so
                many times.
            rng: source of randomness; as much is drawn whether codes are dead or not.
        """
        rows, (k, _) = _rows(z), self.codebook.shape
        per_picture = len(rows) / len(z) / k  # how often an evenly used code is chosen
        waited = (self.seen - torch.maximum(self.chosen_at, self.revived_at)) * per_picture
        dead = waited > patience
        drawn = _drawn(rows, k, rng)
        self.codebook.copy_(torch.where(dead[:, None], drawn, self.codebook))
        self.use.masked_fill_(dead, _NO_WEIGHT)
        self.revived_at.copy_(torch.where(dead, self.seen, self.revived_at))

    def usage(self, n_images: int) -> Tensor:
        """The share of the codes that the last `n_images` pictures were quantised to, a scalar."""
        return (self.chosen_at > (self.seen - n_images).clamp(min=0)).float().mean()


def _drawn(rows: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """Some vectors [n, D] among [N, D], over all ranks' rows where a step is shared."""
    which = torch.randint(len(rows) * ranks_here().world, (n,), generator=rng, device=rng.device)
    start, end = own_indices(len(rows))
    is_own = (which >= start) & (which < end)
    # Each rank puts in those that it has; the sum with the others' zeros is exact.
    return sum_over_ranks(torch.where(is_own[:, None], rows[(which - start) * is_own], 0.0))


def _rows(z: Tensor) -> Tensor:
    """Vectors [B, D, h, w] as float rows [N, D]."""
    return z.detach().movedim(1, -1).reshape(-1, z.shape[1]).float()
