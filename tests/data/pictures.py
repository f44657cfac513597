"""Small pictures that tests can tell apart, and files made of them."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Save = Callable[..., Path]


def noise(seed: int, height: int = 8, width: int = 8, channels: int = 3) -> np.ndarray:
    """A picture [H, W, C] (or [H, W] for one channel) unlike that of any other seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def png(seed: int = 0) -> bytes:
    """The same picture as a PNG file's content."""
    file = io.BytesIO()
    Image.fromarray(noise(seed)).save(file, "PNG")
    return file.getvalue()


def png_bomb(side: int) -> bytes:
    """A short PNG that claims to be a large picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def zipped(folder: Path, prefix: str = "", name: str = "set.zip") -> Path:
    """The folder as a zip beside it, with every entry under `prefix`."""
    path = folder.parent / name
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            archive.write(file, prefix + str(file.relative_to(folder)))
    return path
