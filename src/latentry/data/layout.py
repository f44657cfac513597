"""What the names of files say: which are pictures, which folders are classes, which are a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from latentry.data.contents import Contents, Pictures
from latentry.data.label_files import CELEBA, READERS, read_label_file
from latentry.data.labels import Labels, class_labels

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_TRAIN, _HELD_OUT = "train", ("test", "val", "valid", "validation")


def is_picture(name: str) -> bool:
    """Whether the file's ending, in any case, is one of a picture."""
    return name.lower().endswith(ENDINGS)


def is_hidden(part: str) -> bool:
    """Whether a file or folder of this name is passed over: hidden, or macOS's metadata."""
    return part.startswith(".") or part == "__MACOSX"


def common_folder(names: Sequence[str]) -> str:
    """The longest folder, with its last slash, that holds all files; empty where there is none."""
    first, last = min(names).split("/")[:-1], max(names).split("/")[:-1]
    depth = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return "".join(f"{part}/" for part in first[:depth])


def arrange(
    pictures: Sequence[str],
    label_files: Sequence[str],
    *,
    read: Callable[[str], bytes],
    where: str,
    open_pictures: Callable[[Sequence[str]], Pictures],
) -> Contents:
    """Labels and split of pictures in a folder or an archive.

    Label files are looked for at the root and in the folder that all pictures share; where there is none, sub-folders
    are classes.

    Args:
        pictures: names with forward slashes, sorted.
        label_files: names of label files, wherever they lie.
        read: the content of a file.
        where: the folder or archive, in messages.
        open_pictures: the pictures of these names.
    """
    shared = common_folder(pictures)
    folders = [shared[:k] for k in range(len(shared), -1, -1) if k == 0 or shared[k - 1] == "/"]  # innermost first
    split = _split([name.removeprefix(shared) for name in pictures])
    labels: Labels | None = None
    used: str | None = None
    notes: tuple[str, ...] = ()
    for folder in folders:
        contents = {name: read(folder + name) for name in READERS if folder + name in label_files}
        if folder == "" and CELEBA not in contents and f"../{CELEBA}" in label_files:
            contents[CELEBA] = read(f"../{CELEBA}")
        labels, used, notes = read_label_file(contents, [name.removeprefix(folder) for name in pictures], where)
        if used is not None:
            break
    if used is None:
        labels = _folder_classes([name.removeprefix(shared) for name in pictures], split)
    return Contents(pictures, open_pictures(pictures), labels, split, notes)


def _split(names: Sequence[str]) -> np.ndarray | None:
    """0 for pictures under train/, 1 for those under test/, val/ or valid/; `None` unless all lie so, on both sides."""
    tops = [name.split("/", 1)[0].lower() if "/" in name else "" for name in names]
    known = {_TRAIN, *_HELD_OUT}
    if _TRAIN not in tops or not set(tops) & set(_HELD_OUT) or not set(tops) <= known:
        return None
    return np.array([top != _TRAIN for top in tops], np.uint8)


def _folder_classes(names: Sequence[str], split: np.ndarray | None) -> Labels | None:
    """Classes by sub-folder, where every picture lies exactly one folder down, in at least two folders."""
    parts = [name.split("/")[1 if split is not None else 0 :] for name in names]
    if any(len(part) != 2 for part in parts) or len({part[0] for part in parts}) < 2:
        return None
    return Labels(classes=class_labels([part[0] for part in parts]))
