"""What may be computed in passes of `micro_batch` pictures: all that is a mean over pictures, and nothing else."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from latentry.errors import InputError
from latentry.models.own import OwnNetworks
from latentry.ranks import Ranks
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.models import VAESettings


def check_passes(config: Config, own: OwnNetworks, ranks: Ranks) -> None:
    """Refuse passes that would not add up to the whole batch.

    Args:
        config: the settings; nothing is refused where no micro_batch is set, or one pass holds a rank's whole share.
        own: the caller's networks, which may have batch normalisation too.
        ranks: who shares the batch, which they can.

    Raises:
        InputError: pictures a pass that do not divide a rank's, or a loss or network that reads the whole batch.
    """
    training = config.training
    size, share = training.micro_batch, training.batch // ranks.world
    if size is None or size >= share:
        return
    packing = config.model.packing if isinstance(config.model, GANSettings) else 1
    if share % size or size % packing:
        sizes = [n for n in range(packing, share + 1, packing) if share % n == 0]
        near = sorted({max((n for n in sizes if n <= size), default=sizes[0]), min(n for n in sizes if n >= size)})
        raise InputError(
            f"micro-batch (={size}) must divide the pictures of a step on each device (={share})"
            f"{f' into packs of {packing}' if packing > 1 else ''}; try {' or '.join(map(str, near))}"
        )
    if (reads := _what_reads_the_batch(config, own)) is not None:
        what, instead = reads
        raise InputError(
            f"micro-batch (={size}) takes a step's {share} pictures in {share // size} passes, but {what} reads all "
            f"of them at once; {instead}, or leave micro-batch out and use a smaller batch or more devices"
        )


def _what_reads_the_batch(config: Config, own: OwnNetworks) -> tuple[str, str] | None:
    """What in a step is no mean over pictures, and what to choose instead; None where everything is one."""
    game = config.model
    if isinstance(game, VAESettings) and game.objective == "total-correlation":
        return "objective=total-correlation", "choose objective=elbo"
    if isinstance(game, VAESettings) and game.free_bits:
        return f"free-bits (={game.free_bits})", "set free-bits to 0"
    if isinstance(game, GANSettings) and game.constraint == "dragan":
        return "constraint=dragan", "choose constraint=gradient-penalty"
    ours = own.decoder is None or (own.encoder is None and not isinstance(game, GANSettings))
    if config.network.norm == "batch" and ours:
        return "norm=batch", "choose norm=group or none"
    if isinstance(game, GANSettings) and config.critic.critic_norm == "batch" and own.critic is None:
        return "critic-norm=batch", "choose critic-norm=group or none"
    for name in own.given:
        if _has_batch_norm(getattr(own, name)):
            return f"batch normalisation in your {name}", "normalise over groups of channels (torch.nn.GroupNorm)"
    return None


def _has_batch_norm(network: nn.Module) -> bool:
    return any(isinstance(layer, _BatchNorm) for layer in network.modules())
