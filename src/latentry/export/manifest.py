"""`manifest.json`: what an exported folder holds, and all that its graphs do not say. No torch here.

With the graphs it is enough to draw, decode, encode and edit: `OnnxModel` does, and a page in a browser can.
"""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import numpy as np

from latentry.errors import InputError
from latentry.files import read_json
from latentry.models.vectors import Vector, Vectors

FILE, FORMAT, VERSION = "manifest.json", "latentry-onnx", 1

SEEDS = {
    "rule": "threefry-2x32-20",
    "key": "lower and upper 32 bits of the seed",
    "counter": "i, purpose",
    "purposes": {"normal": 0, "uniform": 1, "condition": 2},
    "uniform": "(first word of counter i >> 8) / 2^24",
    "normal": "2i, 2i + 1: sqrt(-2 log((a + 0.5) / 2^32)) times cos, sin of 2 pi b / 2^32; a, b are the words of i",
    "condition": "row floor(uniform 0 of purpose 2 times the number of examples) of condition.examples",
}
PIXELS = {
    "order": "channels, height, width",
    "from_stored": "x = pixel / 127.5 - 1",
    "to_stored": "pixel = clip(round((x + 1) * 127.5), 0, 255)",
}


def is_exported(folder: Path) -> bool:
    """Whether a folder is one that `latentry export --to onnx` wrote."""
    return (folder / FILE).is_file() and read_json(folder / FILE).get("format") == FORMAT


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an exported folder.

    Raises:
        InputError: it is no such folder, or a later version wrote it.
    """
    if not is_exported(folder):
        raise InputError(f"{folder} is not an exported model; `latentry export RUN --to onnx -o FOLDER` makes one")
    manifest = read_json(folder / FILE)
    if manifest["version"] != VERSION:
        raise InputError(
            f"{folder} has a manifest of version {manifest['version']}, this latentry reads {VERSION}; "
            "export again, or install the version that wrote it"
        )
    return manifest


def pack_array(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON: its shape, and base64 of its numbers as little-endian float32."""
    content = np.ascontiguousarray(array, "<f4").tobytes()
    return {"shape": list(array.shape), "float32": base64.b64encode(content).decode()}


def unpack_array(record: dict[str, Any]) -> np.ndarray:
    """What `pack_array` packed, float32.

    Raises:
        InputError: it is damaged.
    """
    try:
        content = base64.b64decode(record["float32"], validate=True)
        shape = tuple(int(size) for size in record["shape"])
    except (KeyError, TypeError, ValueError):
        raise InputError("the manifest is damaged: an array has no shape or is not base64; export again") from None
    if len(content) != 4 * math.prod(shape):
        raise InputError(f"the manifest is damaged: an array of shape {list(shape)} has {len(content)} bytes")
    return np.frombuffer(content, "<f4").reshape(shape).astype(np.float32)


def pack_vectors(vectors: Vectors) -> list[dict[str, Any]]:
    """A model's vectors as JSON."""
    return [
        {
            "name": vector.name,
            "method": vector.method,
            "unit": vector.unit,
            "farthest": vector.farthest,
            "recommended": None if vector.grade is None else vector.grade.get("recommended"),
            "data": vector.data,
            "grade": vector.grade,
            "direction": pack_array(vector.direction),
        }
        for vector in vectors
    ]


def unpack_vectors(records: list[dict[str, Any]]) -> Vectors:
    """What `pack_vectors` packed."""
    return Vectors(
        Vector(
            record["name"],
            record["method"],
            unpack_array(record["direction"]),
            record["unit"],
            data=record["data"],
            grade=record["grade"],
        )
        for record in records
    )
