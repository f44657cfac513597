"""Building blocks: resampling, mlp, conv and residual encoders and decoders. They know no loss."""

from latentry.nn.build import Decoder, Encoder, Features, build_decoder, build_encoder, build_features
from latentry.nn.conditioning import Concatenated, Conditional, ConditionalNorm, Stages
from latentry.nn.init import initialise
from latentry.nn.layers import Conv, Dropout, Layer, Linear, use_rng
from latentry.nn.modern import FromBasis, GroupedConv, ModernBlock, OntoBasis, Transition
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
from latentry.nn.spectral import SpectralNorm, follow_spectra, normalise_spectrally

__all__ = [
    "AverageDown",
    "BilinearDown",
    "BilinearUp",
    "Concatenated",
    "Conditional",
    "ConditionalNorm",
    "Conv",
    "Decoder",
    "Dropout",
    "Encoder",
    "Features",
    "FromBasis",
    "GroupedConv",
    "Layer",
    "Linear",
    "ModernBlock",
    "NearestUp",
    "OntoBasis",
    "ResidualBlock",
    "ShuffleUp",
    "SpectralNorm",
    "StagePlan",
    "Stages",
    "StridedDown",
    "Transition",
    "TransposedUp",
    "UnshuffleDown",
    "build_decoder",
    "build_encoder",
    "build_features",
    "conv_average",
    "double_bilinear",
    "double_nearest",
    "follow_spectra",
    "halve_average",
    "halve_bilinear",
    "initialise",
    "nearest_conv",
    "nearest_sizes",
    "normalise_spectrally",
    "plan_stages",
    "use_rng",
]
