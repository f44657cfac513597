"""Pictures in a zip, read from it without unpacking."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentry.data.contents import Contents, Stamp, encoded_cost_sec
from latentry.data.folder import files_stamp
from latentry.data.label_files import CELEBA, READERS
from latentry.data.layout import arrange, is_hidden, is_picture
from latentry.errors import InputError

_MAX_ENTRY_BYTES = 1 << 30
_BOMB_BYTES, _BOMB_RATIO = 1 << 24, 500  # larger entries that shrink by more than this are refused


class ZipPictures:
    """Entries of a zip; each process opens the archive once."""

    def __init__(self, path: Path, names: Sequence[str], n_bytes: int) -> None:
        self.path, self.names, self.n_bytes = path, names, n_bytes
        self._archive: zipfile.ZipFile | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_archive": None}

    def open(self, row: int) -> io.BytesIO:
        """The entry's content."""
        if self._archive is None:
            self._archive = zipfile.ZipFile(self.path)
        return io.BytesIO(self._archive.read(self.names[row]))

    def name_of(self, row: int) -> str:
        """Its path."""
        return f"{self.names[row]} in {self.path}"

    def cost_sec(self) -> float:
        """By count and bytes."""
        return encoded_cost_sec(len(self.names), self.n_bytes)


@dataclass
class ZipSource:
    """A zip that is laid out like a folder of pictures."""

    path: Path
    name: str
    where: str
    _beside: Path = field(init=False)

    def __post_init__(self) -> None:
        self._beside = self.path.parent / CELEBA

    def stamp(self) -> Stamp:
        """Size and times of the archive, and of CelebA's list beside it."""
        return files_stamp([self.path, *([self._beside] if self._beside.is_file() else [])])

    def contents(self) -> Contents:
        """The pictures in order of their names, with labels and split.

        Raises:
            InputError: it is not a zip, it is encrypted, a name points outside, an entry is a bomb, or has no pictures.
        """
        with _opened(self.path, self.where) as archive:
            entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
            for entry in entries.values():
                self._check(entry)
            names = [name for name in entries if not any(is_hidden(part) for part in name.split("/"))]
            pictures = sorted(name for name in names if is_picture(name))
            if not pictures:
                raise InputError(
                    f"no pictures in {self.where}: {len(names)} other files; pictures end in .jpg, .png, .webp, ..."
                )
            label_files = [name for name in names if name.rsplit("/", 1)[-1] in READERS]
            if self._beside.is_file():
                label_files.append(f"../{CELEBA}")
            n_bytes = sum(entries[name].file_size for name in pictures)

            def read(name: str) -> bytes:
                return self._beside.read_bytes() if name == f"../{CELEBA}" else archive.read(name)

            return arrange(
                pictures,
                label_files,
                read=read,
                where=self.where,
                open_pictures=lambda rows: ZipPictures(self.path, rows, n_bytes),
            )

    def _check(self, entry: zipfile.ZipInfo) -> None:
        parts = entry.orig_filename.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or (parts[0][1:2] == ":" and parts[0][:1].isalpha()):
            raise InputError(
                f"{self.where} has an entry named {entry.orig_filename!r}, which points outside of it; such an archive "
                "is refused: make it anew from a folder"
            )
        if entry.flag_bits & 1:
            raise InputError(f"{self.where} is encrypted ({entry.filename}); unpack it and give the folder")
        ratio = entry.file_size / max(1, entry.compress_size)
        if entry.file_size > _MAX_ENTRY_BYTES or (entry.file_size > _BOMB_BYTES and ratio > _BOMB_RATIO):
            raise InputError(
                f"{entry.filename} in {self.where} unpacks to {entry.file_size / 1e6:.0f} MB, {ratio:.0f} times its "
                "packed size: refused as a decompression bomb; remove it from the archive"
            )


@contextmanager
def _opened(path: Path, where: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"{where} is not a whole zip archive ({error}); download or make it again") from error
