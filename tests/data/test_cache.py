"""The cache: whole or absent, shared by processes, and never in the way."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentry.data import build, open_images
from latentry.data.cache import cache_folder
from latentry.errors import InputError
from tests.data.pictures import Save, noise, png_bomb

OPEN = "import sys; from latentry.data import open_images; print(open_images(sys.argv[1], size=64).fingerprint)"


@pytest.fixture
def many(save: Save, root: Path) -> Path:
    for k in range(300):
        save(f"{k % 3}/{k:03}.jpg", noise(k, 16, 16))
    return root


def entries(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def test_the_second_opening_decodes_nothing(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_images(many)
    monkeypatch.setattr("latentry.data.images._decode", lambda *_: pytest.fail("decoded again"))
    second = open_images(many)
    np.testing.assert_array_equal(first.images, second.images)
    assert isinstance(second.images, np.memmap) and not second.images.flags.writeable
    assert (first.fingerprint, first.report, first.files) == (second.fingerprint, second.report, second.files)
    assert first.labels is not None and second.labels is not None
    assert first.labels.digest() == second.labels.digest()


def test_worker_processes_give_what_one_process_gives(many: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (many / "0/003.jpg").write_bytes(b"broken")
    alone = open_images(many, cache=cache / "one")
    monkeypatch.setattr(build, "n_workers", lambda _: 2)
    seen: list[tuple[int, int]] = []
    together = open_images(many, cache=cache / "two", progress=lambda done, of: seen.append((done, of)))
    np.testing.assert_array_equal(alone.images, together.images)
    assert (alone.fingerprint, alone.report, alone.files) == (together.fingerprint, together.report, together.files)
    assert len(alone) == 299 and seen == [(256, 300), (300, 300)]


def test_a_refusal_in_a_worker_is_raised_here(many: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "n_workers", lambda _: 2)
    (many / "0/bomb.png").write_bytes(png_bomb(20_000))
    with pytest.raises(InputError, match=r"bomb.png is refused: it claims"):
        open_images(many)
    assert entries(cache) == []


def test_folders_and_dangling_links_are_no_pictures(many: Path) -> None:
    (many / "0/x.jpg").mkdir()
    (many / "0/y.jpg").symlink_to(many / "nowhere")
    assert len(open_images(many)) == 300


def test_two_processes_may_build_at_once(many: Path, cache: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(many)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    prints = {process.communicate()[0] for process in processes}
    assert len(prints) == 1 and [process.returncode for process in processes] == [0, 0, 0]
    assert len(entries(cache)) == 1


def test_a_kill_at_any_moment_leaves_no_half_entry(many: Path, cache: Path) -> None:
    expected = open_images(many, size=64, cache=cache / "whole").fingerprint
    for delay in (0.15, 0.2, 0.25, 0.3):
        process = subprocess.Popen([sys.executable, "-c", OPEN, str(many)], stdout=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert open_images(many, size=64).fingerprint == expected
        for entry in cache.glob("[0-9a-f]*"):
            for file in entry.iterdir():
                file.unlink()
            entry.rmdir()


@pytest.mark.parametrize("damage", ["images.npy", "meta.json", "labels.npz", "names.txt", "digests.npy"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_entry_is_built_anew(many: Path, cache: Path, damage: str, how: str) -> None:
    expected = open_images(many).images.copy()
    (entry,) = cache.iterdir()
    content = (entry / damage).read_bytes()
    (entry / damage).unlink()
    if how == "cut":
        (entry / damage).write_bytes(content[: len(content) // 2])
    np.testing.assert_array_equal(open_images(many).images, expected)
    assert (entry / damage).read_bytes() == content
    assert entries(cache) == [entry.name]


def test_what_killed_processes_left_is_swept_after_a_day(many: Path, cache: Path) -> None:
    for name, age_sec in [(".building-1-old", 90_000), (".building-2-new", 60)]:
        (cache / name).mkdir()
        (cache / name / "images.npy").touch()
        then = time.time() - age_sec
        os.utime(cache / name / "images.npy", (then, then))
    open_images(many)
    assert not (cache / ".building-1-old").exists() and (cache / ".building-2-new").exists()


def test_a_cache_that_cannot_be_written_is_done_without(many: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    images = open_images(many, cache=tmp_path / "file" / "cache")
    assert len(images) == 300 and not isinstance(images.images, np.memmap)
    assert "cannot be written (Not a directory)" in images.report.notes[0]
    assert images.fingerprint == open_images(many).fingerprint


@pytest.mark.parametrize("where", ["_decode_chunk", "_write_header"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    many: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(build, where, full)
    with pytest.raises(InputError, match=r"disk of the cache .* is full .* LATENTRY_CACHE"):
        open_images(many)
    assert entries(cache) == []


@pytest.mark.parametrize("change", ["rewritten", "added", "removed"])
def test_a_change_while_reading_is_refused(
    many: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    decode_all = build.decode_all

    def meddle(*arguments: Any) -> Any:
        result = decode_all(*arguments)
        if change == "removed":
            (many / "1/100.jpg").unlink()
        else:
            content = (many / "2/200.jpg").read_bytes()
            (many / ("1/100.jpg" if change == "rewritten" else "0/new.jpg")).write_bytes(content)
        return result

    monkeypatch.setattr(build, "decode_all", meddle)
    with pytest.raises(InputError, match=r"changed while it was read \((1/100|0/new).jpg\)"):
        open_images(many)
    assert entries(cache) == []


def test_a_file_that_disappears_before_its_turn_is_refused(
    many: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_all = build.decode_all

    def meddle(*arguments: Any) -> Any:
        (many / "1/100.jpg").unlink()
        return decode_all(*arguments)

    monkeypatch.setattr(build, "decode_all", meddle)
    with pytest.raises(InputError, match=r"cannot read .*100.jpg: No such file"):
        open_images(many)
    assert entries(cache) == []


def test_a_file_of_old_times_and_equal_size_is_noticed(save: Save, root: Path) -> None:
    path = save("a.bmp", 0)
    before, stat = open_images(root).images.copy(), path.stat()
    save("a.bmp", 1)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (open_images(root).images != before).any()


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == Path(os.environ["LATENTRY_CACHE"])
    monkeypatch.delenv("LATENTRY_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "latentry"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "latentry"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "latentry"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "latentry" / "Cache"
