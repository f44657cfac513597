"""Building blocks: resampling, mlp, conv and residual encoders and decoders. They know no loss."""

from latentry.nn.build import Decoder, Encoder, build_decoder, build_encoder
from latentry.nn.init import initialise
from latentry.nn.layers import Conv, Layer, Linear
from latentry.nn.plan import StagePlan, nearest_sizes, plan_stages
from latentry.nn.resampling import (
    AverageDown,
    BilinearDown,
    BilinearUp,
    NearestUp,
    ShuffleUp,
    StridedDown,
    TransposedUp,
    UnshuffleDown,
    conv_average,
    double_bilinear,
    double_nearest,
    halve_average,
    halve_bilinear,
    nearest_conv,
)
from latentry.nn.residual import ResidualBlock

__all__ = [
    "AverageDown",
    "BilinearDown",
    "BilinearUp",
    "Conv",
    "Decoder",
    "Encoder",
    "Layer",
    "Linear",
    "NearestUp",
    "ResidualBlock",
    "ShuffleUp",
    "StagePlan",
    "StridedDown",
    "TransposedUp",
    "UnshuffleDown",
    "build_decoder",
    "build_encoder",
    "conv_average",
    "double_bilinear",
    "double_nearest",
    "halve_average",
    "halve_bilinear",
    "initialise",
    "nearest_conv",
    "nearest_sizes",
    "plan_stages",
]
