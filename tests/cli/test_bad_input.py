"""Every refusal: one line on standard error, exit status 2, nothing written and nothing lost."""

import json
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

import latentry
from latentry.cli import main


@pytest.fixture
def refuse(tmp_path, monkeypatch, capsys):
    """Call the command, check that it refuses, and return its line."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        before = sorted(tmp_path.rglob("*"))
        monkeypatch.setattr(sys, "argv", ["latentry", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        output = capsys.readouterr()
        assert end.value.code == 2, output
        line = output.err.strip()
        assert line.startswith("latentry: ")
        assert "\n" not in line
        cache = tmp_path / "cache"
        after = sorted(p for p in tmp_path.rglob("*") if cache not in (p, *p.parents))
        assert after == [p for p in before if cache not in (p, *p.parents)], "something was written"
        return line

    return call


def picture(path, size=(16, 16), colour=(200, 100, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def folder(tmp_path):
    """Six good pictures."""
    for i in range(6):
        picture(tmp_path / "pictures" / f"{i}.png", colour=(40 * i, 100, 50))
    return tmp_path / "pictures"


def test_no_such_path(refuse):
    assert "nowhere" in refuse("train", "vae", "--data", "nowhere")


def test_empty_folder_and_folder_without_pictures(refuse, tmp_path):
    (tmp_path / "empty").mkdir()
    refuse("train", "vae", "--data", "empty")
    (tmp_path / "empty" / "notes.txt").write_text("hello")
    assert "picture" in refuse("train", "vae", "--data", "empty")


def test_all_pictures_corrupt(refuse, tmp_path):
    (tmp_path / "bad").mkdir()
    for i in range(3):
        (tmp_path / "bad" / f"{i}.jpg").write_bytes(b"no picture at all")
    assert "3" in refuse("train", "vae", "--data", "bad")


def test_labels_that_name_missing_files(refuse, folder):
    rows = "\n".join(f"{i}.png,{i % 2}" for i in range(6))
    (folder / "labels.csv").write_text(f"file,smiling\n{rows}\ngone.png,1\n")
    assert "gone.png" in refuse("train", "vae", "--data", folder)


def test_labels_of_unequal_columns(refuse, folder):
    (folder / "labels.csv").write_text("file,smiling\n0.png,1\n1.png,1,0\n")
    assert "line 3" in refuse("train", "vae", "--data", folder)


def test_size_that_the_network_cannot_build(refuse, folder):
    line = refuse("train", "vae", "--data", folder, "--size", "30", "--stages", "2")
    assert "28" in line
    assert "32" in line
    assert "36" in refuse("train", "vae", "--data", folder, "--size", "37")


def test_unknown_names_offer_the_nearest(refuse, folder):
    assert "did you mean train" in refuse("trian", "vae")
    assert "did you mean" in refuse("train", "vea", "--data", folder)
    assert "--batch" in refuse("train", "vae", "--bathc", "3")
    assert "'none', 'batch', 'group'" in refuse("train", "vae", "--norm", "layer")
    assert "latentry: --batch takes a whole number, not 'many'; see" in refuse("train", "vae", "--batch", "many")
    assert "must be at least 1" in refuse("train", "vae", "--batch", "0")
    refuse("train")


def test_not_a_run(refuse, tmp_path):
    (tmp_path / "other").mkdir()
    assert "not a run" in refuse("train", "--resume", "other")
    assert "not a run" in refuse("sample", "other")
    assert "no run" in refuse("sample", "nowhere")
    refuse("runs", "nowhere")


def test_fewer_pictures_held_out_than_a_pack_has(refuse, tmp_path):
    for i in range(2):
        picture(tmp_path / "two" / f"{i}.png", colour=(100 * i, 0, 0))
    assert "packing (=2)" in refuse("train", "pacgan", "--data", "two", "--size", "16", "--images", "100")


@pytest.mark.parametrize("verb", ["sample", "reconstruct", "encode", "traverse", "directions"])
def test_an_output_that_could_not_be_written_is_refused_before_any_work(refuse, tmp_path, verb):
    """Before the run is opened, which would take long and be lost: the run is not even there."""
    assert "end the name in ." in refuse(verb, "nowhere", "-o", "out.xyz")
    ending = ".npy" if verb == "encode" else ".png"
    assert f"no folder {tmp_path / 'a'}" in refuse(verb, "nowhere", "-o", tmp_path / "a" / f"out{ending}")
    (tmp_path / f"taken{ending}").mkdir()
    assert "is a folder" in refuse(verb, "nowhere", "-o", f"taken{ending}")


def test_what_could_not_be_kept_is_refused_before_it_is_measured(refuse, trained, tmp_path, monkeypatch):
    """Not after minutes: nothing of the model is looked at any more."""
    monkeypatch.setattr("latentry.api.evaluate.Scoring", None)
    monkeypatch.setattr("latentry.api.attributes.train_probes", None)
    monkeypatch.setattr("latentry.api.export.model_graphs", None)
    (tmp_path / "a file").write_text("")
    assert "there is no folder" in refuse("evaluate", trained, "--export", tmp_path / "a" / "real.npz")
    assert "end the name in .npz" in refuse("evaluate", trained, "--export", "real.txt")
    assert "cannot read" in refuse("evaluate", trained, "--statistics", "real.npz")
    assert "is a file" in refuse("evaluate", trained, "-o", tmp_path / "a file" / "out")
    assert "is a file" in refuse("attributes", trained, "-o", tmp_path / "a file" / "out")
    assert "is a file" in refuse("export", trained, "-o", tmp_path / "a file" / "out")


def test_the_parsers_words_are_made_plain(refuse):
    assert "--columns takes INT, not 'abc'" in refuse("sample", "x", "--columns", "abc")
    assert "--analogy takes PATH PATH PATH, not 'a', 'b'" in refuse("edit", "x", "--analogy", "a", "b")
    assert "--hidden cannot take 'a', 'b'" in refuse("train", "vae", "--hidden", "a", "b")
    assert "--seed takes a whole number, not '1.5'" in refuse("train", "vae", "--seed", "1.5")
    assert "--lr takes a number, not 'x'" in refuse("train", "vae", "--lr", "x")
    assert "latentry: ema (='maybe') must be" in refuse("train", "vae", "--ema", "maybe")


def test_too_little_memory_is_a_line_and_no_traceback(folder, tmp_path):
    """More than any machine has; the system refuses it at once.

    In a process of its own: in one in which memory was refused, glibc goes on in an arena that keeps no large pieces.
    """
    command = [sys.executable, "-m", "latentry", "train", "vae", "--data", folder, "--latent", str(10**12)]
    done = subprocess.run([*command, "--out", tmp_path / "runs"], capture_output=True, text=True)
    assert done.returncode == 2 and not (tmp_path / "runs").exists(), done
    [line] = done.stderr.splitlines()
    assert line.startswith("latentry: memory is too small (") and "--micro-batch" in line


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with two checkpoints."""
    out = tmp_path_factory.mktemp("trained")
    pictures = np.random.default_rng(0).integers(0, 255, (40, 1, 8, 8), dtype=np.uint8)
    np.save(out / "pictures.npy", pictures)
    return latentry.train(
        "vae", out / "pictures.npy", out=out, backbone="mlp", hidden=(16,), latent=2, images="200", batch=20, ticks=2,
        second_stage_steps=2, mixture_components=1,
    ).path  # fmt: skip


def copied(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_checkpoint_with_flipped_bytes(refuse, trained, tmp_path):
    run = copied(trained, tmp_path)
    newest = sorted((run / "checkpoints").iterdir())[-1] / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    assert "damaged" in refuse("train", "--resume", run)


def test_model_with_flipped_bytes(refuse, trained, tmp_path):
    run = copied(trained, tmp_path)
    weights = run / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    assert "damaged" in refuse("sample", run)


def test_config_of_another_version_or_with_unknown_keys(refuse, trained, tmp_path):
    run = copied(trained, tmp_path)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "format": 7}))
    assert "format 7" in refuse("train", "--resume", run)
    config["training"]["learning_rate"] = 3
    (run / "config.json").write_text(json.dumps(config))
    assert "learning_rate" in refuse("train", "--resume", run)


def test_resume_keeps_what_is_trained(refuse, trained, tmp_path):
    run = copied(trained, tmp_path)
    assert "model settings" in refuse("train", "--resume", run, "--latent", "3")
    assert "data settings" in refuse("train", "--resume", run, "--size", "16")
    assert "the pictures are not those" in refuse("train", "--resume", run, "--data", "digits")


def test_sampling_with_what_the_model_has_not(refuse, trained):
    assert "mixture" in refuse("sample", trained, "--sampler", "mixtrue", "-o", "x.png")
    assert "0-15" in refuse("sample", trained, "--seeds", "3-1", "-o", "x.png")
    assert "from 1 to 100,000" in refuse("sample", trained, "--seeds", "0-9,20-3000000000", "-o", "x.png")
    assert "from 1 to 100,000" in refuse("sample", trained, "-n", "0", "-o", "x.png")
    assert "truncation" in refuse("sample", trained, "--truncation", "inf", "-o", "x.png")
    assert ".png" in refuse("sample", trained, "-o", "x.gif")
    assert "columns (=-2)" in refuse("sample", trained, "--columns", "-2", "-o", "x.png")


def test_counts_seeds_and_speeds_out_of_range(refuse, trained):
    assert "n (=0)" in refuse("reconstruct", trained, "-n", "0", "-o", "x.png")
    assert "n (=-5)" in refuse("encode", trained, "-n", "-5", "-o", "x.npy")
    for flag, value in (
        ("-n", "0"),
        ("--graded", "-5"),
        ("--probe-shown", "0"),
        ("--seed", "-1"),
        ("--seed", "9" * 20),
    ):
        assert value in refuse("attributes", trained, flag, value)
    assert "seed (=2000000000000)" in refuse("evaluate", trained, "--seed", "2000000000000")
    assert "fps" in refuse("morph", trained, "--seeds", "1,5", "--fps", "1e-9", "-o", "x.gif")
    assert "frames" in refuse("morph", trained, "--seeds", "1,5", "--frames", "100000000", "-o", "x.gif")
    assert "3 keyframes" in refuse("morph", trained, "--seeds", "1,5,7", "--frames", "2", "-o", "x.gif")
    assert "names nothing" in refuse("traverse", trained, "--vectors", "", "-o", "x.png")
    assert ".html" in refuse("compare", trained, trained, "-o", "x.png")


def test_a_run_goes_on_as_what_it_is(refuse, trained):
    assert "--resume goes on with vae, not with recipe dcgan" in refuse("train", "dcgan", "--resume", trained)


def test_zip_with_parent_names(refuse, tmp_path):
    picture(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "../a.png")
    assert "../a.png" in refuse("train", "vae", "--data", "evil.zip")


def test_decompression_bomb(refuse, tmp_path):
    (tmp_path / "bombs").mkdir()
    ihdr = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", ihdr), (b"IDAT", zlib.compress(b"\0" * 10_000_000, 9)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    (tmp_path / "bombs" / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    refuse("train", "vae", "--data", "bombs")


def test_device_and_precision_that_are_not_there(refuse, folder):
    assert "device" in refuse("train", "vae", "--data", folder, "--device", "abacus")
    if not torch.cuda.is_available():
        assert "there are auto, cpu" in refuse("train", "vae", "--data", folder, "--device", "cuda")


def test_nothing_to_look_at(refuse):
    assert "--environment" in refuse("doctor")
