"""Pure functions on latents: attribute vectors and how well they do, directions, paths, and inversion."""

from latentry.latent.directions import Directions, activation_directions, principal_directions, weight_directions
from latentry.latent.grading import EditGrade, calls, flip_matrix, grade_edit
from latentry.latent.inversion import Distance, Inversion, best_of, invert
from latentry.latent.paths import lerp, slerp, through
from latentry.latent.vectors import (
    LatentVector,
    analogy,
    balanced_class_differences,
    balanced_differences,
    boundary_normal,
    independent_columns,
    logistic_regression,
    mean_difference,
    orthogonalise,
)

__all__ = [
    "Directions",
    "Distance",
    "EditGrade",
    "Inversion",
    "LatentVector",
    "activation_directions",
    "analogy",
    "balanced_class_differences",
    "balanced_differences",
    "best_of",
    "boundary_normal",
    "calls",
    "flip_matrix",
    "grade_edit",
    "independent_columns",
    "invert",
    "lerp",
    "logistic_regression",
    "mean_difference",
    "orthogonalise",
    "principal_directions",
    "slerp",
    "through",
    "weight_directions",
]
