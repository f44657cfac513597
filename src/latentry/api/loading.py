"""`latentry.load`: any form in which a model is kept. An exported one opens without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentry.export.manifest import is_exported

if TYPE_CHECKING:
    from torch import nn

    from latentry.models.trained import TrainedModel


def load(
    path: Path | str,
    *,
    device: str = "cpu",
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> TrainedModel | Any:
    """A trained model from a run folder, a model folder, an exported folder, or the hub.

    A run that has not ended gives its newest checkpoint, sampled from the model's own prior.

    Args:
        path: what `train` made, a `model/` folder that was copied from it, what `latentry export` wrote, or
            "owner/name" on the Hugging Face hub; a folder of that name here comes first.
        device: where it computes: cpu, cuda, mps, or auto; an exported model computes on the CPU.
        encoder, decoder: networks of your own, built as they were for training, where the model has such.

    Returns:
        A `TrainedModel`; of an exported folder an `OnnxModel`, which samples, encodes, decodes and edits like it.

    Raises:
        InputError: there is no model, or it is damaged.
    """
    if is_exported(Path(path)):
        from latentry.export.onnx_model import OnnxModel

        return OnnxModel(path)
    from latentry.api import opening

    return opening.load(path, device=device, encoder=encoder, decoder=decoder)
