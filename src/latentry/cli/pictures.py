"""Pictures that were named on the command line, as a model takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latentry.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from latentry.models.trained import TrainedModel


def open_pictures(model: TrainedModel, path: Path, notes: list[str]) -> np.ndarray:
    """The pictures of a file or folder as the model takes them, and a note where they had to be changed."""
    import numpy as np

    from latentry.api.opening import open_set_for_model
    from latentry.report.data_report import conversion

    if not path.exists():
        raise InputError(f"there is no picture at {path}")
    images = open_set_for_model(model, str(path))
    if changed := conversion(images):
        notes.append(f"{path} is {changed[0]}; made {changed[1]}, as this model takes it")
    return np.array(images.images)
