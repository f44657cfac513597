"""The explorer as a folder of files that any file server can show: the page, the model in ONNX, and what runs it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from latentry.api.explore import open_runs
from latentry.api.export import export_onnx
from latentry.errors import InputError
from latentry.explorer.desk import Desk
from latentry.explorer.latent_map import draw_map
from latentry.explorer.shown import Shown
from latentry.export.manifest import pack_array
from latentry.export.precision import Precision
from latentry.export.web_runtime import web_runtime
from latentry.files import check_folder, json_bytes, read_json, write_folder

_RECORD, _FORMAT = "page.json", "latentry-page"
_SERVED = '<meta name="latentry" content="server">'
_STATIC = (
    "<meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'\">\n"
    '  <meta name="latentry" content="static">'
)


@dataclass(frozen=True)
class ExportedPage:
    """What was written.

    Attributes:
        path: the folder; `index.html` in it is the page.
        sizes: bytes by part: page, model, runtime.
    """

    path: Path
    sizes: dict[str, int]


def export_page(
    run: Path | str,
    folder: Path | str,
    *,
    precision: Precision = "float32",
    licence: str | None = None,
    webgpu: bool = True,
    runtime: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> ExportedPage:
    """Write the explorer of one model as a folder; no request of the page leaves it.

    Args:
        run: a run or model folder.
        folder: where to; an earlier page there is replaced.
        precision, licence: as of `export_onnx`.
        webgpu: carry what computes on the browser's GPU too (27 MB); WebAssembly is always there.
        runtime: the npm package of onnxruntime-web, where it cannot be fetched.
        say: told how it goes.

    Raises:
        InputError: there is no such model, the folder holds something else, or what exports is missing.
        ParityError: the exported model differs from the original; nothing was written.
    """
    final = Path(folder)
    _check_target(final)
    (shown,) = open_runs([run])
    shown.ready  # noqa: B018  # a run without weights is refused before anything is fetched
    files = {f"runtime/{name}": content for name, content in web_runtime(runtime, webgpu=webgpu).items()}
    with tempfile.TemporaryDirectory() as draft:
        made = export_onnx(shown.ready, Path(draft) / "model", precision=precision, licence=licence, say=say)
        files |= {f"model/{file.name}": file.read_bytes() for file in made.path.iterdir()}
    say("looking for sliders and drawing maps")
    files |= _page_files() | {_RECORD: json_bytes(_record(shown, made.manifest, webgpu=webgpu))}
    write_folder(final, files)
    sizes = dict.fromkeys(("page", "model", "runtime"), 0)
    for name, content in files.items():
        part = name.partition("/")[0]
        sizes[part if part in sizes else "page"] += len(content)
    return ExportedPage(final, sizes)


def _check_target(folder: Path) -> None:
    ours = (folder / _RECORD).is_file() and read_json(folder / _RECORD).get("format") == _FORMAT
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not ours):
        raise InputError(f"{folder} is there already and is no earlier page; give -o a folder that does not exist yet")
    check_folder(folder.parent)


def _page_files() -> dict[str, bytes]:
    """The page's own files, set to do without a server."""
    folder = resources.files("latentry.explorer") / "page"
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    index = files["index.html"].decode()
    assert _SERVED in index
    return files | {"index.html": index.replace(_SERVED, _STATIC).encode()}


def _record(shown: Shown, manifest: dict[str, Any], *, webgpu: bool) -> dict[str, Any]:
    """What a server would compute when asked, computed beforehand."""
    desk = Desk([shown], training_data=False)
    known = desk.manifest()
    run = known.runs[0].model_dump() | {
        "path": "RUN",  # where it lay is nobody else's business
        "log": False,
        "encodes": "encoder" in manifest["graphs"],
        "searches": False,
        "maps_data": False,
    }
    maps: dict[str, Any] = {}
    for by in ("pca", "tsne") if math.prod(shown.ready.latent_shape) > 1 else ():  # a single number has no map
        drawn = draw_map(shown, "samples", by)
        places = [[float(x), float(y)] for x, y in drawn.map.places]
        facts = {name: pack_array(value) for name, value in drawn.map.arrays.items()}
        groups = {"groups": drawn.groups.tolist(), "group_names": list(drawn.group_names)}
        maps[by] = {"kind": drawn.map.kind, "places": places, "shown": drawn.map.shown, **groups, **facts}
    if maps:
        maps["tsne"]["gaussian"] = run["spherical"]
    return {
        "format": _FORMAT,
        "version": known.version,
        "webgpu": webgpu,
        "fit": manifest["fit"],
        "run": run,
        "found": desk.controls(0).model_dump(),
        "maps": maps,
    }
