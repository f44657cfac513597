"""Writing a model in a form that runs elsewhere, once it is shown to be the same model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from latentry.api.opening import load
from latentry.errors import InputError, unknown_name
from latentry.export.folder import build_manifest, model_graphs
from latentry.export.graphs import check_installed, to_onnx
from latentry.export.manifest import FILE, is_exported
from latentry.export.onnx_model import OnnxModel
from latentry.export.parity import ParityError, compare_graph, compare_pictures, cost_of_precision, time_graph
from latentry.export.precision import Precision, store_weights
from latentry.export.report import parity_text
from latentry.files import check_folder, json_bytes, write_folder
from latentry.models.trained import TrainedModel
from latentry.report.grid import pairs, tile, to_png

PARITY = "parity.json"
_STORED = "decoder", "encoder"  # samplers are small, and a token that is chosen otherwise changes all after it


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the folder.
        manifest: what it says of itself.
        parity: how it compares with the model in PyTorch.
    """

    path: Path
    manifest: dict[str, Any]
    parity: dict[str, Any]

    def load(self) -> OnnxModel:
        """The exported model."""
        return OnnxModel(self.path)


def export_onnx(
    run: TrainedModel | Path | str,
    folder: Path | str,
    *,
    precision: Precision = "float32",
    licence: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Export a model to ONNX: graphs, `manifest.json`, and the report of how they compare with PyTorch.

    Args:
        run: a run folder, a model folder, or a model that was loaded on the CPU.
        folder: where to; an earlier export there is replaced.
        precision: how the weights of decoder and encoder are stored: float32, float16 or int8.
        licence: of the weights, in your words.
        say: told how it goes.

    Raises:
        InputError: there is no such model, the folder holds something else, or what exports is not installed.
        ParityError: the exported model differs from the original; nothing was written.
    """
    final = Path(folder)
    check_target(final)
    check_installed()
    if precision not in get_args(Precision):
        raise unknown_name("precision", str(precision), get_args(Precision))
    model = run if isinstance(run, TrainedModel) else load(run)
    if model.device.type != "cpu":
        raise InputError(f"the model is on {model.device}; load it with device='cpu' to export it")
    graphs = model_graphs(model)
    plain, compared = {}, []
    for name, graph in graphs.items():
        say(f"exporting {name}")
        plain[name] = to_onnx(graph)
        compared += compare_graph(model, name, graph, plain[name])
    _refuse_differences(compared)
    with tempfile.TemporaryDirectory() as draft:
        _write(Path(draft) / "model", build_manifest(model, graphs, plain, "float32", licence), plain, {})
        pictures, ours, theirs = compare_pictures(model, OnnxModel(Path(draft) / "model"))
    _refuse_pictures(pictures)
    stored = {name: store_weights(part, precision if name in _STORED else "float32") for name, part in plain.items()}
    say("measuring time")
    cost = cost_of_precision(model, graphs["decoder"], plain["decoder"], stored["decoder"])
    parity = {
        "graphs": compared,
        "pictures": pictures,
        "precision": None if precision == "float32" else cost,
        "timing": [line for name in graphs for line in time_graph(model, name, graphs[name], stored[name])],
    }
    manifest = build_manifest(model, graphs, stored, precision, licence)
    sheet = tile(theirs) if model.image.points else pairs(ours, theirs)
    report = {PARITY: json_bytes(parity), "parity.md": parity_text(manifest, parity).encode()}
    _write(final, manifest, stored, {**report, "parity.png": to_png(sheet)})
    return Exported(final, manifest, parity)


def check_target(folder: Path) -> None:
    """Refuse to write over what is no export.

    Raises:
        InputError: the folder holds something else.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not is_exported(folder)):
        raise InputError(
            f"{folder} is there already and is no earlier export; give -o a folder that does not exist yet"
        )
    check_folder(folder.parent)


def _write(folder: Path, manifest: dict[str, Any], graphs: dict[str, bytes], beside: dict[str, bytes]) -> None:
    files = {f"{name}.onnx": content for name, content in graphs.items()}
    write_folder(folder, {**files, FILE: json_bytes(manifest), **beside})


def _refuse_differences(compared: list[dict[str, Any]]) -> None:
    for record in compared:
        if not record["passed"]:
            raise ParityError(
                f"the {record['graph']} differs from PyTorch by {record['difference']:.3g} at batch {record['batch']}, "
                f"and {record['limit']:.3g} is allowed; nothing was written"
            )


def _refuse_pictures(record: dict[str, Any]) -> None:
    if not record["passed"]:
        raise ParityError(
            f"pictures of the same seeds differ by {record['difference']:g} between PyTorch and ONNX, and "
            f"{record['limit']:g} is allowed; nothing was written"
        )
