"""How the encoder and the decoder are built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from latentry.errors import InputError

Backbone = Literal["mlp", "conv", "residual", "modern"]
Upsampling = Literal["transposed", "nearest", "bilinear", "pixel-shuffle"]
Downsampling = Literal["strided", "average", "bilinear", "pixel-unshuffle"]
LastLayer = Literal["upsampling", "convolution"]
Norm = Literal["none", "batch", "group"]
Activation = Literal["relu", "leaky-relu", "silu", "tanh", "maxout"]


@dataclass(frozen=True)
class NetworkSettings:
    """Encoder and decoder, one mirrored in the other."""

    backbone: Backbone = "conv"
    """mlp: fully connected; conv: one convolution a stage (DCGAN-like); residual: residual blocks; modern: R3GAN's."""
    width: int = 32
    """all but mlp: channels of the first stage (the finest); doubled at each further stage up to width-max."""
    width_max: int = 256
    """all but mlp: no stage has more channels than this."""
    stages: int | None = None
    """all but mlp: how often height and width are halved; None halves while the shorter side stays >= base."""
    base: int = 7
    """all but mlp: stages=None stops halving before the shorter side falls below this many pixels."""
    blocks: int = 1
    """residual, modern: residual blocks in each stage."""
    expansion: float = 1.5
    """modern: channels of a block's 3x3 convolution, as a multiple of the block's."""
    group_width: int = 16
    """modern: channels of that convolution that see one another; one group where there are fewer."""
    hidden: tuple[int, ...] = (512, 256)
    """mlp: units of the encoder's hidden layers, in order; the decoder has them in reverse."""
    kernel: int = 4
    """conv: side in pixels of the stride-2 kernels, 3, 4 or 5; only for upsampling=transposed, downsampling=strided."""
    downsampling: Downsampling = "strided"
    """conv, residual: how it halves: stride-2 convolution, 3x3 + average pool, 3x3 + blur, or space-to-depth."""
    upsampling: Upsampling = "transposed"
    """conv, residual: how the decoder doubles: transposed convolution, nearest or bilinear + 3x3, or pixel-shuffle."""
    last_layer: LastLayer = "upsampling"
    """conv, residual: the decoder's last doubling makes the picture itself (fast), or a 3x3 convolution follows it."""
    norm: Norm = "none"
    """normalisation before each activation; none, over the batch, or over groups of channels of each picture alone."""
    norm_first: bool = True
    """conv: whether the encoder's first layer, which reads the picture, is normalised too."""
    activation: Activation = "silu"
    """nonlinearity of every hidden layer; maxout, the largest of 5 linear maps, for mlp only."""
    dropout: float = 0.0
    """share of the numbers behind each activation of the encoder that is dropped while training."""
    init_std: float | None = None
    """standard deviation of the first weights; None keeps the variance from layer to layer, 0.02 is DCGAN's."""

    def __post_init__(self) -> None:
        """Refuse settings that no network can be built from."""
        for name in ("width", "width_max", "blocks", "group_width"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', '-')} (={getattr(self, name)}) must be at least 1")
        if self.stages is not None and self.stages < 0:
            raise InputError(f"stages (={self.stages}) must be 0 or more, or None to derive it from the size")
        if any(units < 1 for units in self.hidden):
            raise InputError(f"hidden (={self.hidden}) must hold numbers of units of at least 1 each")
        if self.base < 1:
            raise InputError(f"base (={self.base}) must be at least 1 pixel")
        if not self.expansion > 0:
            raise InputError(f"expansion (={self.expansion}) must be above 0")
        if self.backbone == "modern" and self.norm != "none":
            raise InputError(f"norm (={self.norm}) must be none for backbone=modern, which is built to do without")
        if self.activation == "maxout" and self.backbone != "mlp":
            raise InputError(f"activation=maxout is for backbone=mlp, not {self.backbone}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout (={self.dropout}) must be at least 0 and below 1")
        if self.init_std is not None and not self.init_std > 0:
            raise InputError(f"init-std (={self.init_std}) must be above 0, or None")
        if self.kernel not in (3, 4, 5):
            raise InputError(f"kernel (={self.kernel}) must be 3, 4 or 5")
