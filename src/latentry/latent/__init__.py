"""Pure functions on latents: vectors of attributes, directions, and how well an edit does what its name says."""

from latentry.latent.directions import Directions, activation_directions, principal_directions, weight_directions
from latentry.latent.grading import EditGrade, calls, flip_matrix, grade_edit
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
    "EditGrade",
    "LatentVector",
    "activation_directions",
    "analogy",
    "balanced_class_differences",
    "balanced_differences",
    "boundary_normal",
    "calls",
    "flip_matrix",
    "grade_edit",
    "independent_columns",
    "logistic_regression",
    "mean_difference",
    "orthogonalise",
    "principal_directions",
    "weight_directions",
]
