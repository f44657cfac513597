"""The rule from seed to numbers: published vectors, moments, and the JavaScript of docs/export.md word for word."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from latentry.errors import InputError
from latentry.models.noise import CONDITION, NoiseSize, example_rows, normal, seed_noise, threefry, uniform, words

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers_of_its_authors(key, counter, expected):
    """Random123's kat_vectors, threefry2x32 with 20 rounds."""
    a, b, c, d = (np.array([word], np.uint32) for word in (*key, *counter))
    assert tuple(int(word[0]) for word in threefry((a, b), (c, d))) == expected


def test_the_seed_is_the_key_and_what_numbers_are_for_keeps_them_apart():
    seed = 5 + (7 << 32)
    key = np.array([5], np.uint32), np.array([7], np.uint32)
    direct = threefry(key, (np.array([2], np.uint32), np.array([CONDITION], np.uint32)))
    assert words([seed], CONDITION, 3)[0, 2].tolist() == [int(word[0]) for word in direct]
    assert not np.array_equal(words([seed], 0, 3), words([seed], 1, 3))


def test_numbers_of_a_seed_are_its_own():
    """Alone or among others, few or many, they are the same."""
    among = seed_noise([3, 99, 2**63], NoiseSize(2, 5))
    assert np.array_equal(among[1:2], seed_noise([99], NoiseSize(2, 5)))
    assert np.array_equal(among[:, 2:4], normal([3, 99, 2**63], 2))
    assert seed_noise([], NoiseSize(1, 3)).shape == (0, 4)
    assert seed_noise([1], NoiseSize(0, 0)).shape == (1, 0)


def test_they_are_normal_and_uniform():
    z, u = normal(range(20_000), 4).astype(np.float64), uniform(range(20_000), 4).astype(np.float64)
    assert z.mean(axis=0) == pytest.approx(np.zeros(4), abs=0.03)
    assert np.cov(z.T) == pytest.approx(np.eye(4), abs=0.04)
    assert (z**4).mean() == pytest.approx(3, abs=0.1)
    assert (np.abs(z) > 1.959964).mean() == pytest.approx(0.05, abs=0.003)
    assert np.histogram(u, 10, (0, 1))[0] / u.size == pytest.approx(np.full(10, 0.1), abs=0.004)
    assert u.max() < 1
    rows = example_rows(range(20_000), 1000)
    assert (rows.min(), rows.max()) == (0, 999)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_other_seeds_are_refused(seed):
    with pytest.raises(InputError, match=rf"seed \(={seed}\)"):
        normal([seed], 1)


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript here")
def test_the_javascript_of_the_documentation_gives_the_same_numbers():
    [code] = re.findall(r"```js\n(.*?)```", DOCS.read_text(), flags=re.S)[:1]
    seeds = [0, 1, 12345, 2**53 - 1]
    call = f"console.log(JSON.stringify({seeds}.map(s => [[...uniform(s, 5)], [...normal(s, 7)]])))"
    answer = subprocess.run(["node", "-e", code + call], capture_output=True, text=True, check=True).stdout
    for seed, (u, z) in zip(seeds, json.loads(answer), strict=True):
        assert uniform([seed], 5)[0].tolist() == u
        np.testing.assert_allclose(normal([seed], 7)[0], z, rtol=2e-7)
