"""`ImageSet`, a decoded set of pictures, and `open_images`, which makes one from anything that holds pictures."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentry.data import build
from latentry.data.arrays import NumpySource
from latentry.data.cache import Decoded, cache_folder, cache_key, commit, load, new_entry, write_tables
from latentry.data.contents import Contents, Source, Stamp
from latentry.data.duplicates import pixel_digests
from latentry.data.facts import Report, Skipped, make_report, report_from_json, with_labels
from latentry.data.in_place import open_in_place
from latentry.data.labels import Labels
from latentry.data.points import PointSource, point_report
from latentry.data.sources import open_source
from latentry.errors import InputError, unknown_name
from latentry.settings.data import Channels, Fit
from latentry.settings.specs import ImageSpec


@dataclass(frozen=True)
class ImageSet:
    """Decoded pictures with what is known about them.

    Attributes:
        images: uint8 [N, C, H, W], read-only; memory-mapped when decoded from files. The points of a toy world are
            float32 [N, 2, 1, 1], in the plane's own coordinates.
        labels: classes, attributes and numbers, or `None`.
        fingerprint: hex sha256 of pixels, labels and policy; the same for the same pictures in a folder or a zip.
        name: short, fit for a folder name.
        report: what was found and done.
        split: uint8 [N], 1 for held out, where the source itself is divided; else `None`.
        files: where each picture came from, relative to the source; empty where nothing is known.
        digests: uint8 [N, 16], equal where pixels are; `None` where not computed.
    """

    images: np.ndarray
    labels: Labels | None
    fingerprint: str
    name: str
    report: Report
    split: np.ndarray | None = None
    files: tuple[str, ...] = ()
    digests: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def spec(self) -> ImageSpec:
        """Channels, height and width of every picture."""
        _, channels, height, width = self.images.shape
        return ImageSpec(channels, height, width, points=self.images.dtype == np.float32)

    def subset(self, indices: np.ndarray) -> ImageSet:
        """Some of the pictures, in the order of `indices`, copied into memory."""
        rows = np.asarray(indices)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        images = self.images[rows]
        digests = pixel_digests(images) if self.digests is None else self.digests[rows]
        labels = self.labels and self.labels.take(rows)
        split = None if self.split is None else self.split[rows]
        print_ = build.fingerprint(digests, labels, self.report.policy_key)
        note = f"a subset: {len(rows)} of {len(self)} pictures; what is said of sizes, modes and files is about all"
        report = dataclasses.replace(
            with_labels(self.report, labels if len(rows) else None, split),
            n_images=len(rows),
            fingerprint=print_,
            notes=(*self.report.notes, note),
            duplicates=None,
        )
        files = tuple(self.files[row] for row in rows.tolist()) if self.files else ()
        return ImageSet(images, labels, print_, self.name, report, split, files, digests)


def open_images(
    spec: Any,
    size: int | tuple[int, int] | None = None,
    channels: Channels = "auto",
    fit: Fit = "crop",
    *,
    cache: Path | None = None,
    limit: int | None = None,
    progress: build.Progress | None = None,
) -> ImageSet:
    """Open pictures, decoding them into the cache the first time.

    Args:
        spec: a built-in name (`faces`, `digits`, `shapes`, or the toy worlds `ring` and `grid`, each with an optional
            `:COUNT`); the path of a folder, zip, IDX, .npy, .npz or parquet file; `hf:OWNER/NAME[:SPLIT]`;
            `stacked:SPEC` or `stacked@COUNT:SPEC`, RGB stacks of three grey pictures of any of these; an array
            [N, H, W], [N, H, W, C] or [N, C, H, W]; or a torch Dataset of pictures or (picture, label) pairs.
        size: (height, width) or one side in pixels; `None` keeps the pictures' own size where they share one of at
            most 128 pixels, and takes 64 otherwise.
        channels: grey, rgb, rgba; auto is grey where every picture is, else rgb.
        fit: how other proportions fit the size: cut to the centre, padded with white, or stretched.
        cache: the folder that decoded pictures are kept in; `None` for $LATENTRY_CACHE or the user's cache folder.
        limit: open only so many pictures, spread evenly over the source.
        progress: called with how many pictures are decoded, of how many.

    Raises:
        InputError: whatever cannot be opened, in one line that says what to do.
    """
    request = _checked_request(size, channels, fit, limit)
    source = open_source(spec, request.size)
    if isinstance(source, PointSource):
        return _point_set(source, request)
    if isinstance(source, NumpySource) and (mapped := open_in_place(source, request)) is not None:
        return _image_set(mapped, source)
    stamp = source.stamp()
    if stamp is None:
        return _image_set(_decode_in_memory(source, request, progress), source)
    folder = cache or cache_folder()
    entry = folder / cache_key(sorted(stamp.items()), dataclasses.astuple(request))
    decoded = load(entry)
    if decoded is None:
        decoded = _decode_to_cache(source, stamp, request, folder, entry, progress)
    return _image_set(decoded, source)


def _checked_request(size: int | tuple[int, int] | None, channels: str, fit: str, limit: int | None) -> build.Request:
    if isinstance(size, int | np.integer):
        size = (int(size), int(size))
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise InputError(f"size (={size}) must be one side or (height, width), in pixels, at least 1")
    if channels not in ("auto", "grey", "rgb", "rgba"):
        raise unknown_name("channels", channels, ["auto", "grey", "rgb", "rgba"])
    if fit not in ("crop", "pad", "stretch"):
        raise unknown_name("fit", fit, ["crop", "pad", "stretch"])
    if limit is not None and limit < 1:
        raise InputError(f"limit (={limit}) must be at least 1")
    return build.Request(None if size is None else (int(size[0]), int(size[1])), channels, fit, limit)  # type: ignore[arg-type]


def _point_set(source: PointSource, request: build.Request) -> ImageSet:
    """A toy world as a set of pictures of one pixel."""
    points, labels = source.draw()
    notes: tuple[str, ...] = ()
    if request.size not in (None, (1, 1)) or request.channels != "auto":
        notes = ("size and channels are not read: a point of the plane has neither",)
    rows, limited = _limited_rows(len(points), request.limit)
    points, labels = points[rows], labels.take(np.array(rows))
    points.flags.writeable = False
    digests = pixel_digests(points)
    report = point_report(source, points, labels, (*notes, *limited))
    report = dataclasses.replace(report, fingerprint=build.fingerprint(digests, labels, report.policy_key))
    return ImageSet(points, labels, report.fingerprint, source.name, report, digests=digests)


def _limited_rows(n: int, limit: int | None) -> tuple[list[int], tuple[str, ...]]:
    """Which of `n` pictures are opened, and a note where these are not all."""
    if limit is None or limit >= n:
        return list(range(n)), ()
    return [k * n // limit for k in range(limit)], (f"limited to {limit} of {n} pictures, spread evenly",)


def _image_set(decoded: Decoded, source: Source) -> ImageSet:
    report = dataclasses.replace(report_from_json(decoded.meta["report"]), source=source.where)
    decoded.images.flags.writeable = False
    return ImageSet(
        images=decoded.images,
        labels=decoded.labels,
        fingerprint=report.fingerprint,
        name=source.name,
        report=report,
        split=decoded.split,
        files=decoded.names,
        digests=decoded.digests,
    )


def _decode_to_cache(
    source: Source, stamp: Stamp, request: build.Request, folder: Path, entry: Path, progress: build.Progress | None
) -> Decoded:
    """Decode into a new entry of the cache; into memory where the cache cannot be written."""
    try:
        with new_entry(folder) as temporary:
            decoded = _decode(source, request, temporary / "images.npy", progress)
            _refuse_changed(source, stamp)
            write_tables(temporary, decoded)
            decoded.images.flags.writeable = False
            del decoded  # Windows cannot rename a folder with a mapped file
            commit(temporary, entry)
    except OSError as error:
        if refusal := build.disk_error(error, folder):
            raise refusal from error
        if not _is_under(error, folder):
            raise
        note = f"the cache {folder} cannot be written ({error.strerror}): decoded in memory, every time anew"
        return _decode_in_memory(source, request, progress, note)
    whole = load(entry)
    if whole is None:
        raise InputError(f"the cache entry {entry} was removed or damaged while it was opened; try again")
    return whole


def _is_under(error: OSError, folder: Path) -> bool:
    """Whether an error is about the cache folder, or a folder above it that could not be made."""
    if not isinstance(error.filename, str | Path):
        return False
    path = Path(error.filename)
    return folder == path or folder in path.parents or path in folder.parents


def _decode_in_memory(
    source: Source, request: build.Request, progress: build.Progress | None, note: str | None = None
) -> Decoded:
    stamp = source.stamp()
    decoded = _decode(source, request, None, progress, (note,) if note else ())
    if stamp is not None:
        _refuse_changed(source, stamp)
    return decoded


def _decode(
    source: Source,
    request: build.Request,
    path: Path | None,
    progress: build.Progress | None,
    notes: tuple[str, ...] = (),
) -> Decoded:
    """Decode a source into the .npy file `path`, or into memory."""
    contents = source.contents()
    rows, limited = _limited_rows(len(contents.names), request.limit)
    built = build.decode_all(contents.pictures, rows, request, path, progress)
    if len(built.images) == 0:
        raise _all_damaged(source, contents, built.bad)
    labels = contents.labels and contents.labels.take(built.rows)
    split = None if contents.split is None else contents.split[built.rows]
    report = make_report(
        source.where,
        built.policy,
        Counter(built.facts),
        [Skipped(contents.names[item.row], item.reason) for item in built.bad],
        labels,
        split,
        (*notes, *limited, *contents.notes, *built.notes),
    )
    report = dataclasses.replace(report, fingerprint=build.fingerprint(built.digests, labels, built.policy.key))
    names = tuple(contents.names[row] for row in built.rows.tolist())
    meta = {"report": report.to_json(), "shape": list(built.images.shape)}
    return Decoded(built.images, built.digests, labels, split, names, meta)


def _all_damaged(source: Source, contents: Contents, bad: list[build.Bad]) -> InputError:
    first = bad[0]
    return InputError(
        f"none of the {len(bad)} pictures in {source.where} can be decoded; "
        f"the first, {contents.names[first.row]}, is {first.reason}; check the files"
    )


def _refuse_changed(source: Source, before: Stamp) -> None:
    """Refuse a source whose files are not what they were when it was opened."""
    try:
        after = source.stamp() or {}
    except (OSError, InputError):
        after = {}
    if after != before:
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        raise InputError(
            f"{source.where} changed while it was read ({changed[0]}"
            f"{f' and {len(changed) - 1} more' if len(changed) > 1 else ''}); open it again when nothing writes to it"
        )
