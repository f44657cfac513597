"""Pictures on disk to uint8 arrays, labels, a report, and a seeded stream of batches."""

from latentry.data.cache import cache_folder
from latentry.data.condition import condition_spec, condition_vectors
from latentry.data.contents import Contents, Pictures, Source
from latentry.data.convert import to_float, to_stored, to_uint8
from latentry.data.decode import Policy
from latentry.data.facts import Duplicates, Report
from latentry.data.images import ImageSet, open_images
from latentry.data.inspect import inspect_images, inspect_set
from latentry.data.labels import AttributeLabels, ClassLabels, ContinuousLabels, Labels
from latentry.data.stream import batch_indices, holdout_indices

__all__ = [
    "AttributeLabels",
    "ClassLabels",
    "Contents",
    "ContinuousLabels",
    "Duplicates",
    "ImageSet",
    "Labels",
    "Pictures",
    "Policy",
    "Report",
    "Source",
    "batch_indices",
    "cache_folder",
    "condition_spec",
    "condition_vectors",
    "holdout_indices",
    "inspect_images",
    "inspect_set",
    "open_images",
    "to_float",
    "to_stored",
    "to_uint8",
]
