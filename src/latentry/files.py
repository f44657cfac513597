"""Files that are whole or absent, whenever the process is killed; tensors as bytes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentry.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

_ATTEMPTS = 10  # to replace a folder that another process replaces as well


def check_output(path: Path, *endings: str) -> None:
    """Refuse before any work what could not be written after it.

    Args:
        path: a file, or a folder where `endings` has "" and the name has no ending.
        endings: those that are written, such as ".png".

    Raises:
        InputError: the name ends otherwise, is a folder's, or lies in a folder that is not there or not this user's.
    """
    if path.suffix.lower() not in endings:
        allowed = ", ".join(ending or "nothing for a folder" for ending in endings)
        raise InputError(f"cannot write {path.name!r}; end the name in {allowed}")
    if not path.suffix:
        check_folder(path)
    elif path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; name a file")
    elif not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    else:
        check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Refuse before any work a folder that could not be made, or not be written to, after it.

    Raises:
        InputError: a file is in its way, or this user may not.
    """
    there = next(part for part in (path, *path.parents) if part.exists())
    if not there.is_dir():
        raise InputError(f"cannot write to {path}: {there} is a file; name another folder")
    if not os.access(there, os.W_OK):
        raise InputError(f"cannot write to {path}: this user may not write to {there}; name another folder")


def make_folder(path: Path) -> Path:
    """Make a folder for results, unless it is there; the folder.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {path}: {error.strerror}; name another folder") from error
    return path


def write_file(path: Path, content: bytes) -> None:
    """Write one file: to a temporary name, synced, renamed.

    Raises:
        InputError: the disk is full or not writable; nothing is left behind and an earlier file stays.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        _write_synced(temporary, content)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror}; free space or write elsewhere") from error


def write_json(path: Path, record: Any) -> None:
    """Write a JSON file like `write_file`, indented, for people to read too."""
    write_file(path, json_bytes(record))


def json_bytes(record: Any) -> bytes:
    """The record as indented JSON."""
    return (json.dumps(record, indent=2) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        InputError: no such file, or its content is not a JSON object.
    """
    try:
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(record, dict):
        raise InputError(f"{path} is damaged: it must hold a JSON object")
    return record


def write_folder(final: Path, files: dict[str, bytes]) -> None:
    """Write a folder of files under its final name only when all of them are whole; an earlier one is replaced.

    A file's name may begin with folders, as in "model/decoder.onnx".

    Raises:
        InputError: the disk is full or not writable; nothing is left behind and an earlier folder stays.
    """
    temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}")
    earlier = final.with_name(f"{temporary.name}.old")
    try:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            _write_synced(temporary / name, content)
        _sync_folder(temporary)
        _take_place(temporary, final, earlier)
        _sync_folder(final.parent)
    except OSError as error:
        raise InputError(f"cannot write {final}: {error.strerror}; free space or write elsewhere") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(earlier, ignore_errors=True)


def _take_place(folder: Path, final: Path, earlier: Path) -> None:
    """Give a folder its final name, and what had that the name `earlier`; what another process puts there is replaced.

    Raises:
        OSError: it cannot be done; what was there is there again, or is kept as `earlier` where that fails too.
    """
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            with contextlib.suppress(FileNotFoundError):
                final.rename(earlier)
            folder.rename(final)
            return
        except OSError:
            try:
                earlier.rename(final)
            except FileNotFoundError:
                pass  # there was none
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise  # it is all that is left, and stays beside
                shutil.rmtree(earlier, ignore_errors=True)  # another process has put its own there
            if not attempts_left:
                raise


def pack_tensors(tensors: dict[str, Tensor]) -> bytes:
    """Tensors as the bytes of a safetensors file; tied weights are stored once for each of their names."""
    import safetensors.torch

    seen: set[int] = set()
    whole = {}
    for name, tensor in tensors.items():
        stored = tensor.detach().cpu().contiguous()
        whole[name] = stored.clone() if stored.data_ptr() in seen else stored
        seen.add(stored.data_ptr())
    return safetensors.torch.save(whole)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can."""
    with contextlib.suppress(OSError, AttributeError):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
