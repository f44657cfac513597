"""Pictures in a folder, at any depth."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from latentry.data.contents import Contents, Stamp, encoded_cost_sec
from latentry.data.label_files import CELEBA, READERS
from latentry.data.layout import arrange, is_hidden, is_picture
from latentry.errors import InputError

_WHOLE_BYTES = 1 << 18  # smaller files are read in one go


@dataclass(frozen=True)
class FolderPictures:
    """Picture files under a root; rows are in the order of `names`."""

    root: Path
    names: Sequence[str]
    n_bytes: int

    def open(self, row: int) -> IO[bytes]:
        """The file, read at once where it is small."""
        file = (self.root / self.names[row]).open("rb")
        if os.fstat(file.fileno()).st_size > _WHOLE_BYTES:
            return file
        with file:
            return io.BytesIO(file.read())

    def name_of(self, row: int) -> str:
        """Its path."""
        return str(self.root / self.names[row])

    def cost_sec(self) -> float:
        """By count and bytes."""
        return encoded_cost_sec(len(self.names), self.n_bytes)


@dataclass
class FolderSource:
    """A folder of pictures, with classes as sub-folders or labels in a file beside them."""

    root: Path
    name: str
    where: str
    _files: dict[str, os.stat_result] = field(default_factory=dict)

    def stamp(self) -> Stamp:
        """Size and times of every picture and label file."""
        self._files = dict(_label_files_and_pictures(self.root))
        return {name: file_stamp(stat) for name, stat in self._files.items()} | {".": str(self.root.resolve())}

    def contents(self) -> Contents:
        """The pictures in order of their names, with labels and split."""
        if not self._files:
            self.stamp()
        pictures = sorted(name for name in self._files if is_picture(name))
        if not pictures:
            raise InputError(f"no pictures in {self.where}: {self._what_is_there()}")
        label_files = [name for name in self._files if not is_picture(name)]
        n_bytes = sum(self._files[name].st_size for name in pictures)
        return arrange(
            pictures,
            label_files,
            read=lambda name: (self.root / name).read_bytes(),
            where=self.where,
            open_pictures=lambda names: FolderPictures(self.root, names, n_bytes),
        )

    def _what_is_there(self) -> str:
        names = [name for name, _ in walk(self.root)]
        if not names:
            return "it is empty; give a folder with pictures in it, at any depth"
        endings = sorted({Path(name).suffix or "no ending" for name in names})
        return (
            f"it has {len(names)} files ({', '.join(endings[:6])}); pictures end in .jpg, .png, .webp, .bmp, .gif, .tif"
        )


@dataclass(frozen=True)
class FileSource:
    """One picture file, without labels."""

    path: Path
    name: str
    where: str

    def stamp(self) -> Stamp:
        """Its size and times."""
        return files_stamp([self.path])

    def contents(self) -> Contents:
        """The one picture."""
        names = [self.path.name]
        return Contents(names, FolderPictures(self.path.parent, names, self.path.stat().st_size))


def file_stamp(stat: os.stat_result) -> str:
    """Size, time of modification, and time of change, which copying with old times does not fake."""
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"


def files_stamp(files: Iterable[Path]) -> Stamp:
    """The stamp of a few files, by their full paths."""
    return {str(path.resolve()): file_stamp(path.stat()) for path in files}


def walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file that is not hidden, by its path relative to `root` with forward slashes; links are followed once."""
    seen = {os.path.realpath(root)}
    pending = [(str(root), "")]
    while pending:
        folder, prefix = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                if entry.is_dir():
                    real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                    if real not in seen:
                        seen.add(real)
                        pending.append((entry.path, f"{prefix}{entry.name}/"))
                elif entry.is_file():
                    yield prefix + entry.name, entry


def _label_files_and_pictures(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    try:
        for name, entry in walk(root):
            if is_picture(name) or entry.name in READERS:
                yield name, entry.stat()
    except OSError as error:
        raise InputError(f"cannot read {error.filename or root}: {error.strerror}") from error
    beside = root.parent / CELEBA
    if beside.is_file():
        yield f"../{CELEBA}", beside.stat()
