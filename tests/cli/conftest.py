"""Small trained models, and a command that must be refused."""

import shutil
import sys
from typing import Any

import numpy as np
import pytest

import latentry
from latentry.cli import main, run
from tests.cli.pictures import save

SMALL: dict[str, Any] = {
    "size": "8", "backbone": "mlp", "hidden": (32,), "latent": 3, "batch": 20, "ticks": 1, "flip": "no", "holdout": 0.2,
}  # fmt: skip


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Grey pictures, bright or striped or both, with a table of labels; a VAE and a GAN of them."""
    home = tmp_path_factory.mktemp("home")
    rng, rows = np.random.default_rng(0), ["file,bright,striped"]
    for i in range(100):
        bright, striped = i % 2, i // 2 % 2
        pixels = 60 + 120 * bright + 50 * striped * (np.arange(8) % 2) + rng.normal(0, 6, (8, 8))
        save(home / "data" / f"{i}.png", pixels)
        rows.append(f"{i}.png,{bright},{striped}")
    (home / "data" / "labels.csv").write_text("\n".join(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTRY_CACHE", str(home / "cache"))
        vae = latentry.train(
            "vae", home / "data", out=home / "runs", images="6k", second_stage_steps=2, mixture_components=1, **SMALL
        )
        latentry.train(
            "gan", home / "data", out=home / "runs", images="200", critic_hidden=(16,), augment="none", **SMALL
        )
        run(["attributes", str(vae.path), "--probe-shown", "2000", "--graded", "10", "--json"])
    return home


@pytest.fixture
def vae(home, tmp_path):
    """A copy, which a test may change."""
    return shutil.copytree(next((home / "runs").glob("*-vae-*")), tmp_path / "vae")


@pytest.fixture
def gan(home, tmp_path):
    return shutil.copytree(next((home / "runs").glob("*-gan-*")), tmp_path / "gan")


@pytest.fixture
def refuse(monkeypatch, capsys):
    """Call the command, check that it refuses in one line with status 2, and return the line."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["latentry", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        line = capsys.readouterr().err.strip()
        assert end.value.code == 2, line
        assert line.startswith("latentry: ")
        assert "\n" not in line
        return line

    return call
