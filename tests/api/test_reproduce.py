"""Published results: the pictures as they are drawn, the measure, and what is said of a run that falls short."""

import json
from pathlib import Path

import numpy as np
import pytest

import latentry
from latentry.api import reproduce as room
from latentry.cli import run as run_command
from latentry.files import read_json
from tests.data.test_idx import idx


def test_pixels_are_drawn_once_with_their_grey_as_the_chance(tmp_path):
    grey = np.broadcast_to(np.arange(28, dtype=np.uint8) * 9, (28, 28))
    for name, n in (("train", 60_000), ("t10k", 10_000)):
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(np.broadcast_to(grey, (n, 28, 28))))
    learning, test = room._binarised_mnist(tmp_path)
    assert (learning.shape, test.shape) == ((60_000, 28, 28), (10_000, 1, 28, 28))
    assert set(np.unique(test)) == {0, 255}
    np.testing.assert_allclose(test.mean(axis=(0, 1, 2)) / 255, np.arange(28) * 9 / 255, atol=0.005)
    np.testing.assert_array_equal(room._binarised_mnist(tmp_path)[1], test)


def test_other_pictures_are_refused():
    with pytest.raises(latentry.InputError, match=r"digits has .* pictures .*this takes MNIST as IDX files"):
        room._binarised_mnist(Path("digits"))
    with pytest.raises(latentry.InputError, match=r"vae-mnist takes MNIST as IDX files.*--data"):
        latentry.reproduce("vae-mnist")
    with pytest.raises(latentry.InputError, match="unknown published result 'vae-mnis'"):
        latentry.reproduce("vae-mnis", "digits")


def test_a_short_run_is_measured_and_said_to_be_short(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    drawn = (rng.random((360, 28, 28)) < 0.2).astype(np.uint8) * np.uint8(255)
    monkeypatch.setattr(room, "_binarised_mnist", lambda path: (drawn[:300], drawn[300:, None]))
    found = latentry.reproduce("vae-mnist", "anywhere", out=tmp_path, epochs=2)
    assert found.told == ("epochs was 2.0, published with 500.0",)
    assert not found.met  # independent pixels cost 784 H(0.2) = 392 nats, whatever is learnt
    assert found.value > 392
    record = read_json(found.path / room.RECORD)
    rounds = room.held_out_nll(latentry.load(found.path), drawn[300:, None])
    assert record["rounds"] == rounds
    assert found.value == pytest.approx(np.mean(rounds))
    assert run_command(["reproduce", "vae-mnist", "--data", "anywhere", "--run", str(found.path)]) == 1
    assert f"not reproduced: {found.value:.2f}" in capsys.readouterr().out


def test_what_there_is_is_listed(capsys):
    assert run_command(["reproduce", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vae-mnist"]["value"] == 89.78
