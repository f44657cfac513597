"""How the encoder and the decoder are built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from latentry.errors import InputError

Backbone = Literal["mlp", "conv", "residual"]
Upsampling = Literal["transposed", "nearest", "bilinear", "pixel-shuffle"]
Downsampling = Literal["strided", "average", "bilinear", "pixel-unshuffle"]
LastLayer = Literal["upsampling", "convolution"]
Norm = Literal["none", "batch", "group"]
Activation = Literal["relu", "leaky-relu", "silu", "tanh"]


@dataclass(frozen=True)
class NetworkSettings:
    """Encoder and decoder, one mirrored in the other."""

    backbone: Backbone = "conv"
    """mlp: fully connected; conv: one convolution a stage (DCGAN-like); residual: residual blocks in each stage."""
    width: int = 32
    """conv, residual: channels of the first stage (the finest); doubled at each further stage up to width-max."""
    width_max: int = 256
    """conv, residual: no stage has more channels than this."""
    stages: int | None = None
    """conv, residual: how often height and width are halved; None halves while the shorter side stays >= 7 pixels."""
    blocks: int = 1
    """residual: residual blocks in each stage."""
    hidden: tuple[int, ...] = (512, 256)
    """mlp: units of the encoder's hidden layers, in order; the decoder has them in reverse."""
    kernel: int = 4
    """conv: side in pixels of the stride-2 kernels, 3, 4 or 5; only for upsampling=transposed, downsampling=strided."""
    downsampling: Downsampling = "strided"
    """how the encoder halves: stride-2 convolution, 3x3 + average pool, 3x3 + blur, or space-to-depth."""
    upsampling: Upsampling = "transposed"
    """how the decoder doubles: transposed convolution, nearest or bilinear + 3x3, or pixel-shuffle."""
    last_layer: LastLayer = "upsampling"
    """conv, residual: the decoder's last doubling makes the picture itself (fast), or a 3x3 convolution follows it."""
    norm: Norm = "none"
    """normalisation before each activation; none, over the batch, or over groups of channels of each picture alone."""
    activation: Activation = "silu"
    """nonlinearity of every hidden layer."""

    def __post_init__(self) -> None:
        """Refuse settings that no network can be built from."""
        for name in ("width", "width_max", "blocks"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', '-')} (={getattr(self, name)}) must be at least 1")
        if self.stages is not None and self.stages < 0:
            raise InputError(f"stages (={self.stages}) must be 0 or more, or None to derive it from the size")
        if any(units < 1 for units in self.hidden):
            raise InputError(f"hidden (={self.hidden}) must hold numbers of units of at least 1 each")
        if self.kernel not in (3, 4, 5):
            raise InputError(f"kernel (={self.kernel}) must be 3, 4 or 5")
