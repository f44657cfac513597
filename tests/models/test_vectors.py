"""Vectors kept with a model: what is written is what is read, whole or not at all."""

import json

import numpy as np
import pytest

from latentry.errors import InputError
from latentry.models.vectors import FOLDER, Vector, Vectors, read_vectors, write_vectors


def vectors():
    rng = np.random.default_rng(0)
    smile = Vector("smiling", "balanced", rng.standard_normal(4, np.float32), "unit", rng.random(4, np.float32),
                   {"name": "faces", "n": 3}, {"doses": [0, 1, 2.5], "recommended": 1})  # fmt: skip
    other = Vector("smiling", "difference", rng.standard_normal(4, np.float32), "unit")
    grid = Vector("a/b = c", "principal", rng.standard_normal((2, 3, 3), np.float32), "unit")
    return Vectors([smile, other, grid])


def test_read_back_they_are_the_same_and_writing_again_gives_the_same_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_vectors(tmp_path / "a", vectors())
    read = read_vectors(tmp_path / "a")
    assert [v.key for v in read] == ["smiling/balanced", "smiling/difference", "a/b = c/principal"]
    for before, after in zip(vectors(), read, strict=True):
        assert np.array_equal(before.direction, after.direction)
        assert (before.unit, before.data, before.grade) == (after.unit, after.data, after.grade)
    error = read.find("smiling").error
    assert error is not None
    assert error.tolist() == pytest.approx(np.asarray(vectors().find("smiling").error).tolist())
    assert read.find("smiling", "difference").error is None
    write_vectors(tmp_path / "b", read)
    for file in (tmp_path / "a" / FOLDER).iterdir():
        assert file.read_bytes() == (tmp_path / "b" / FOLDER / file.name).read_bytes()


def test_a_name_gives_the_first_of_its_methods_and_wrong_names_the_nearest():
    found = vectors()
    assert found.find("smiling").method == "balanced"
    assert found.find("smiling").farthest == 2.5
    assert found.find("smiling", "difference").farthest is None
    assert found.names == ["smiling", "a/b = c"]
    with pytest.raises(InputError, match="did you mean smiling"):
        found.find("smilling")
    with pytest.raises(InputError, match="allowed: balanced, difference"):
        found.find("smiling", "sefa")
    with pytest.raises(InputError, match="latentry attributes"):
        Vectors().find("smiling")


def test_damage_is_noticed(tmp_path):
    assert len(read_vectors(tmp_path)) == 0
    write_vectors(tmp_path, vectors())
    file = tmp_path / FOLDER / "vectors.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_vectors(tmp_path)
    file.unlink()
    with pytest.raises(InputError, match="cannot read"):
        read_vectors(tmp_path)
    record = tmp_path / FOLDER / "vectors.json"
    record.write_text(json.dumps([1]))
    with pytest.raises(InputError, match="damaged"):
        read_vectors(tmp_path)
