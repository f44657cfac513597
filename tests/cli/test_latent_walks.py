"""`morph`, `traverse` and `invert` by command: what they write, say and refuse."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from latentry.cli import run
from tests.cli.pictures import save, size


def test_a_strip_has_a_picture_a_frame_and_the_same_bytes_twice(vae, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        assert run(["morph", str(vae), "--seeds", "1,5,9", "--frames", "7", "-o", str(tmp_path / name)]) == 0
    assert "7 frames through 3 keyframes" in capsys.readouterr().out
    width, height = size(tmp_path / "a.png")
    assert width > 6 * height
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_has_every_frame(vae, tmp_path, ending):
    file = tmp_path / f"walk.{ending}"
    run(["morph", str(vae), "--seeds", "1,5", "--loop", "--frames", "10", "--fps", "10", "-o", str(file)])
    with Image.open(file) as animation:
        assert getattr(animation, "n_frames", 1) == 10
        assert animation.info.get("duration", 100) == 100  # ms
        assert animation.info["loop"] == 0  # for ever


def test_mp4_without_ffmpeg_says_what_to_install(refuse, vae, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert "latentry[video]" in refuse("morph", vae, "--seeds", "1,5", "-o", tmp_path / "walk.mp4")


def test_pictures_of_another_size_and_mode_are_morphed_and_it_is_said(vae, tmp_path, capsys):
    rng = np.random.default_rng(0)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        save(file, rng.integers(0, 255, (12, 20, 3)))
    out = tmp_path / "out.png"
    arguments = [
        "morph",
        str(vae),
        "--images",
        *map(str, files),
        "--optimise",
        "--frames",
        "3",
        "-o",
        str(out),
        "--json",
    ]
    assert run(arguments) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["keyframes"] == 2
    assert "20 x 12 pixels, RGB; made 8 x 8, grey" in record["notes"][0]


def test_traverse_ranks_dimensions_by_what_they_hold_and_follows_vectors(vae, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    run(["traverse", str(vae), "--dims", "2", "-o", str(out), "--json"])
    record = json.loads(capsys.readouterr().out)
    assert record["ranked_by"] == "kl"
    held = [row["kl"] for row in record["rows"]]
    assert len(held) == 2
    assert held[0] >= held[1] > 0
    run(["traverse", str(vae), "--vectors", "bright,striped", "--reach", "1.5", "-o", str(out), "--json"])
    record = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in record["rows"]} == {"bright", "striped"}
    assert record["stops"][0] == -1.5


def test_invert_writes_a_sheet_and_latents_and_tells_what_the_model_does_not_know(vae, home, tmp_path, capsys):
    run(["invert", str(vae), "--fit", "--fit-held-out", "20", "--json"])
    assert 0 < json.loads(capsys.readouterr().out)["fit"]["threshold"] < 1
    noise = tmp_path / "noise.png"
    save(noise, np.random.default_rng(0).integers(0, 255, (8, 8)))
    latents = tmp_path / "z.npy"
    run(["invert", str(vae), "--image", str(noise), "-o", str(tmp_path / "i.png"), "--latents", str(latents)])
    said = capsys.readouterr().out
    assert "outside" in said
    assert "0 of 1 inside" in said
    assert np.load(latents).shape == (1, 3)
    run(["invert", str(vae), "--data", str(home / "data"), "-n", "20", "-o", str(tmp_path / "i.png"), "--json"])
    pictures = json.loads(capsys.readouterr().out)["pictures"]
    assert sum(picture["inside"] for picture in pictures) >= 15
    assert all(picture["loss"] <= picture["loss_start"] for picture in pictures)


def test_what_is_refused(refuse, vae, gan, home, tmp_path):
    picture, out = home / "data" / "0.png", tmp_path / "o.png"
    assert "two keyframes" in refuse("morph", vae, "--seeds", "3")
    assert "two keyframes" in refuse("morph", vae, "--images", picture)
    assert "one of --seeds" in refuse("morph", vae)
    assert ".webp" in refuse("morph", vae, "--seeds", "1,2", "-o", tmp_path / "o.tiff")
    assert "frames" in refuse("morph", vae, "--seeds", "1,2", "--frames", "1")
    assert "fps" in refuse("morph", vae, "--seeds", "1,2", "--fps", "0", "-o", tmp_path / "o.gif")
    assert "--fit" in refuse("morph", gan, "--images", picture, picture, "-o", out)
    assert "nowhere.png" in refuse("morph", vae, "--images", picture, tmp_path / "nowhere.png", "-o", out)
    assert "latentry attributes" in refuse("traverse", gan, "--vectors", "all", "-o", out)
    assert "dims" in refuse("traverse", vae, "--dims", "0", "-o", out)
    assert "--fit" in refuse("invert", gan, "--image", picture, "-o", out)
    assert "--image" in refuse("invert", vae)
    assert ".npy" in refuse("invert", vae, "--image", picture, "-o", tmp_path / "z.npy")
    (tmp_path / "notes.png").write_text("no picture")
    assert "notes.png" in refuse("invert", vae, "--image", tmp_path / "notes.png", "-o", out)
    assert not out.exists()
