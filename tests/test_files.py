"""Folders that are whole whenever they are looked at, and outputs that are refused before the work."""

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from latentry.errors import InputError
from latentry.files import check_folder, check_output, make_folder, write_folder


def test_an_earlier_folder_is_replaced_whole(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", {"a": b"1", "deep/b": b"2"})
    write_folder(tmp_path / "model", {"c": b"3"})
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "c"]


def test_an_earlier_folder_is_back_where_its_place_cannot_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "model", {"a": b"1"})
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.name.startswith(".model") and not self.name.endswith(".old"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(InputError, match="No space left"):
        write_folder(tmp_path / "model", {"a": b"2"})
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "a"]
    assert (tmp_path / "model" / "a").read_bytes() == b"1"


def test_an_earlier_folder_that_cannot_be_put_back_is_kept_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "model", {"a": b"1"})
    rename = Path.rename

    def from_there_alone(self: Path, target: Path) -> Path:
        if self.name != "model":
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", from_there_alone)
    with pytest.raises(InputError, match="Permission denied"):
        write_folder(tmp_path / "model", {"a": b"2"})
    [kept] = tmp_path.iterdir()
    assert (kept / "a").read_bytes() == b"1"


def test_writers_of_one_folder_do_not_fail_and_leave_nothing_else(tmp_path: Path) -> None:
    def write(number: int) -> None:
        write_folder(tmp_path / "model", {"a": b"%d" % number, "b": b"%d" % number})

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(60)))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "model"]
    assert (tmp_path / "model" / "a").read_bytes() == (tmp_path / "model" / "b").read_bytes()


def test_what_could_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_output(tmp_path / "new.PNG", ".png")
    check_output(tmp_path / "new" / "deeper", ".png", "")
    check_folder(tmp_path / "v1.2" / "results")
    assert not (tmp_path / "new").exists()
    for path, words in (
        (tmp_path / "new.gif", r"end the name in \.png, nothing for a folder"),
        (tmp_path / "new" / "a.png", "there is no folder"),
        (tmp_path / "file" / "deeper", "file is a file"),
    ):
        with pytest.raises(InputError, match=words):
            check_output(path, ".png", "")
    with pytest.raises(InputError, match="name another folder"):
        make_folder(tmp_path / "file")
