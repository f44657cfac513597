"""The files of onnxruntime-web that a static page runs on: fetched once from the npm registry, then kept.

They are 41 MB, which is why they are not in the package; MIT licence, Microsoft.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from latentry.data.cache import cache_folder
from latentry.errors import InputError
from latentry.files import write_folder

RELEASE = "1.30.0"
ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{RELEASE}.tgz"
_SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
_WASM = ("ort.wasm.min.mjs", *(f"ort-wasm-simd-threaded.{kind}" for kind in ("mjs", "wasm")))
_WEBGPU = ("ort.webgpu.min.mjs", *(f"ort-wasm-simd-threaded.asyncify.{kind}" for kind in ("mjs", "wasm")))
_SECONDS = 60


def web_runtime(archive: Path | None = None, *, webgpu: bool = True) -> dict[str, bytes]:
    """The runtime's files by name, from the cache, from an archive, or from the registry.

    Args:
        archive: the npm package, onnxruntime-web-1.30.0.tgz, for machines without a network.
        webgpu: the files for browsers with WebGPU too.

    Raises:
        InputError: the registry cannot be reached, or what came is not that release.
    """
    kept = cache_folder() / f"onnxruntime-web-{RELEASE}"
    if archive is not None or not kept.is_dir():
        write_folder(kept, _unpack(_fetch() if archive is None else _read(archive)))
    return {name: (kept / name).read_bytes() for name in (*_WASM, *(_WEBGPU if webgpu else ()))}


def _fetch() -> bytes:
    try:
        with urllib.request.urlopen(ADDRESS, timeout=_SECONDS) as reply:
            return bytes(reply.read())
    except (urllib.error.URLError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"cannot fetch {ADDRESS} ({reason}), on which pages run; fetch it elsewhere and give it as --runtime FILE"
        ) from None


def _read(archive: Path) -> bytes:
    try:
        return archive.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the runtime {archive}: {error.strerror}; it is {ADDRESS}") from error


def _unpack(content: bytes) -> dict[str, bytes]:
    """The files out of the archive, whose hash is known beforehand."""
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256:
        raise InputError(
            f"the runtime has SHA-256 {found[:16]}..., and {ADDRESS} has {_SHA256[:16]}...; fetch it again"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {name: archive.extractfile(f"package/dist/{name}") for name in (*_WASM, *_WEBGPU)}
        return {name: file.read() for name, file in files.items() if file is not None}
