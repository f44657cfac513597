"""Published results: the pictures as they are drawn, the measure, and what is said of a run that falls short."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latentry
from latentry.api import published
from latentry.api.published import PUBLISHED, LikelihoodOfDigits, ModesOfStacks, held_out_nll
from latentry.api.reproduce import RECORD
from latentry.cli import run as run_command
from latentry.files import read_json
from latentry.settings.specs import ImageSpec, LatentSpec
from tests.data.test_idx import idx


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    """As large as MNIST; each column has one grey."""
    folder = tmp_path_factory.mktemp("mnist")
    grey = np.broadcast_to(np.arange(28, dtype=np.uint8) * 9, (28, 28))
    for name, n in (("train", 60_000), ("t10k", 10_000)):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(np.broadcast_to(grey, (n, 28, 28))))
    return folder


def test_pixels_are_drawn_once_with_their_grey_as_the_chance(mnist):
    learning, test = published.mnist(mnist, 0)
    assert (learning.shape, test.shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    assert set(np.unique(test)) == {0, 255}
    np.testing.assert_allclose(test.mean(axis=(0, 1, 2)) / 255, np.arange(28) * 9 / 255, atol=0.005)
    np.testing.assert_array_equal(published.mnist(mnist, 0)[1], test)
    assert (published.mnist(mnist, 1)[1] != test).mean() > 0.1


def test_what_is_learnt_from_is_drawn_once_or_grey(mnist, tmp_path):
    once = LikelihoodOfDigits(k=2, repeats=1, anew=False).to_learn_from(mnist, tmp_path)
    anew = LikelihoodOfDigits(k=2, repeats=1, anew=True).to_learn_from(mnist, tmp_path)
    np.testing.assert_array_equal(np.load(once), published.mnist(mnist, 0)[0][:, 0])
    np.testing.assert_array_equal(np.load(anew)[0, 0], np.arange(28) * 9)
    for each in PUBLISHED.values():
        assert PUBLISHED["vae-mnist"].data == each.data
        assert each.measure.to_learn_from(mnist, tmp_path)


def test_other_pictures_are_refused():
    with pytest.raises(latentry.InputError, match=r"digits has .* pictures .*this takes MNIST as IDX files"):
        published.mnist(Path("digits"), None)
    with pytest.raises(latentry.InputError, match=r"vae-mnist takes MNIST as IDX files.*--data"):
        latentry.reproduce("vae-mnist")
    with pytest.raises(latentry.InputError, match="unknown published result 'vae-mnis'"):
        latentry.reproduce("vae-mnis", "digits")


def test_a_short_run_is_measured_and_said_to_be_short(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    drawn = (rng.random((360, 28, 28)) < 0.2).astype(np.uint8) * np.uint8(255)
    monkeypatch.setattr(published, "mnist", lambda path, by: (drawn[:300, None], drawn[300:, None]))
    found = latentry.reproduce("vae-mnist", "anywhere", out=tmp_path, epochs=2)
    assert found.told == ("epochs was 2.0, published with 500.0",)
    assert not found.met  # independent pixels cost 784 H(0.2) = 392 nats, whatever is learnt
    assert found.value > 392
    record = read_json(found.path / RECORD)
    model = latentry.load(found.path)
    rounds = [held_out_nll(model, drawn[300:, None], k=200, seed=seed) for seed in range(5)]
    assert record["rounds"] == rounds
    assert found.value == pytest.approx(np.mean(rounds))
    assert run_command(["reproduce", "vae-mnist", "--data", "anywhere", "--run", str(found.path)]) == 1
    assert f"not reproduced: {found.value:.2f}" in capsys.readouterr().out


@pytest.mark.parametrize(("kept", "modes", "low", "high"), [(1000, 500, 0.2, 1.2), (1, 1, 6.9077, 6.9078)])
def test_modes_of_stacks_are_counted(kept, modes, low, high):
    """1,500 real stacks are of some 770 kinds of a thousand, less the classifier's errors; one stack is of one kind."""
    real = latentry.open_images("stacked@1500:digits", size=16).images[:kept]

    class Repeats:
        class network:
            image, latent = ImageSpec(3, 16, 16), LatentSpec((2,), "normal")

        def decode(self, z):
            return np.resize(real, (len(z), *real.shape[1:]))

    repeats: Any = Repeats()
    values, told = ModesOfStacks(n=1500, n_shown=18_000, stacks=2000).rounds(repeats, Path("digits"))
    assert low < values[0] < high
    assert int(told[0].split()[1]) == modes if kept == 1 else int(told[0].split()[1]) > modes


def test_what_there_is_is_listed(capsys):
    assert run_command(["reproduce", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vae-mnist"]["value"] == 89.78
