"""Building blocks: resampling, mlp, conv and residual encoders and decoders, codebooks. They know no loss."""

from latentry.nn.build import Decoder, Encoder, Features, build_decoder, build_encoder, build_features
from latentry.nn.conditioning import Concatenated, Conditional, ConditionalNorm, Stages
from latentry.nn.grid import GridDecoder, GridEncoder, build_grid_decoder, build_grid_encoder, plan_grid
from latentry.nn.init import initialise
from latentry.nn.layers import Conv, Dropout, Layer, Linear, use_rng
from latentry.nn.modern import FromBasis, GroupedConv, ModernBlock, OntoBasis, Transition
from latentry.nn.plan import StagePlan, nearest_sizes, plan_stages
from latentry.nn.processor import flatten
from latentry.nn.quantiser import Quantiser, nearest_codes, perplexity, straight_through
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
from latentry.nn.token_prior import TokenPrior
from latentry.nn.twice import Rectifier, convolve, differentiated_twice

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
    "GridDecoder",
    "GridEncoder",
    "GroupedConv",
    "Layer",
    "Linear",
    "ModernBlock",
    "NearestUp",
    "OntoBasis",
    "Quantiser",
    "Rectifier",
    "ResidualBlock",
    "ShuffleUp",
    "SpectralNorm",
    "StagePlan",
    "Stages",
    "StridedDown",
    "TokenPrior",
    "Transition",
    "TransposedUp",
    "UnshuffleDown",
    "build_decoder",
    "build_encoder",
    "build_features",
    "build_grid_decoder",
    "build_grid_encoder",
    "conv_average",
    "convolve",
    "differentiated_twice",
    "double_bilinear",
    "double_nearest",
    "flatten",
    "follow_spectra",
    "halve_average",
    "halve_bilinear",
    "initialise",
    "nearest_codes",
    "nearest_conv",
    "nearest_sizes",
    "normalise_spectrally",
    "perplexity",
    "plan_grid",
    "plan_stages",
    "straight_through",
    "use_rng",
]
