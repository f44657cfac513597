"""What turns pictures into features, and which one is at hand."""

from latentry.metrics.extractors.choose import NAMES, open_extractor
from latentry.metrics.extractors.extractor import Extractor
from latentry.metrics.extractors.reference import cached_features, export_statistics, import_statistics

__all__ = [
    "NAMES",
    "Extractor",
    "cached_features",
    "export_statistics",
    "import_statistics",
    "open_extractor",
]
