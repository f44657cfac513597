import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import latentry
from latentry.cli import VERBS, main, run


@pytest.mark.parametrize("arguments", [["--help"], *([verb, "--help"] for verb in VERBS), ["train", "vae", "--help"]])
def test_help_imports_no_torch(arguments):
    """What makes help slow is what it imports; seconds are measured in benchmarks, not here."""
    code = (
        "import sys\nfrom latentry.cli import run\n"
        f"try:\n    run({arguments!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numpy', 'PIL', 'sklearn', 'matplotlib', 'typeguard'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small run, trained by the command, with the pictures beside it."""
    folder = tmp_path_factory.mktemp("cli")
    pictures = np.random.default_rng(0).integers(0, 256, (60, 3, 16, 16), dtype=np.uint8)
    np.save(folder / "pictures.npy", pictures)
    arguments = ["--images", "120", "--batch", "20", "--ticks", "2", "--width", "4", "--latent", "3",
                 "--second-stage-steps", "2", "--mixture-components", "1"]  # fmt: skip
    status = run(["train", "vae", "--data", str(folder / "pictures.npy"), "--out", str(folder / "runs"), *arguments])
    assert status == 0
    [path] = (folder / "runs").iterdir()
    return path


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_train_ends_with_paths_and_three_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(["train", "vae", "--data", "digits", "--images", "200", "--batch", "50", "--ticks", "1",
         "--second-stage-steps", "1", "--mixture-components", "1"])  # fmt: skip
    output = capsys.readouterr().out
    assert "runs/00000-vae-digits/samples.png" in output
    next_commands = output[output.index("next:") :].strip().splitlines()[1:]
    assert [line.split()[1] for line in next_commands] == ["sample", "reconstruct", "train"]


def test_sample_writes_grid_pixels_or_files(trained, tmp_path, capsys):
    run(["sample", str(trained), "--seeds", "0-2,7", "-o", str(tmp_path / "grid.png"), "--columns", "4"])
    assert read(tmp_path / "grid.png").shape == (48, 4 * 48 + 3 * 2, 3)  # small pictures are enlarged to be seen
    run(["sample", str(trained), "-n", "3", "-o", str(tmp_path / "pixels.npy"), "--json"])
    pixels = np.load(tmp_path / "pixels.npy")
    assert pixels.shape == (3, 3, 16, 16)
    run(["sample", str(trained), "--seeds", "2", "-o", str(tmp_path / "files")])
    one = read(tmp_path / "files" / "seed-000002.png")
    assert np.array_equal(one.transpose(2, 0, 1), pixels[2])
    record = json.loads(capsys.readouterr().out.splitlines()[1])
    assert record["seeds"] == [0, 1, 2]


def test_encode_and_reconstruct_the_held_out_or_other_pictures(trained, tmp_path, capsys):
    run(["encode", str(trained), "-o", str(tmp_path / "z.npy")])
    assert np.load(tmp_path / "z.npy").shape == (3, 3)  # a twentieth of 60 pictures, 3 latents
    Image.new("RGB", (40, 30), (10, 200, 30)).save(tmp_path / "mine.png")
    run(["encode", str(trained), "--data", str(tmp_path / "mine.png"), "-o", str(tmp_path / "z.npy")])
    assert np.load(tmp_path / "z.npy").shape == (1, 3)
    capsys.readouterr()
    run(["reconstruct", str(trained), "-o", str(tmp_path / "pairs.png"), "--json"])
    record = json.loads(capsys.readouterr().out)
    assert record["n"] == 3
    assert 3 < record["mean_psnr_db"] < 60


def test_resume_of_a_finished_run_trains_on_when_asked(trained, tmp_path, capsys):
    import shutil

    copy = shutil.copytree(trained, tmp_path / "copy")
    assert run(["train", "--resume", str(copy)]) == 0
    assert "nothing was left to train" in capsys.readouterr().out
    assert run(["train", "--resume", str(copy), "--images", "240", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["images"] == 240
    assert "nothing was left" not in told.err


def test_a_length_given_replaces_the_recipes_own(capsys):
    run(["train", "foster-vae", "--budget", "1m", "--dry-run"])
    training = json.loads(capsys.readouterr().out)["training"]
    assert (training["budget"], training["epochs"]) == ("1m", None)


def test_dry_run_prints_the_settings_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(["train", "beta-vae", "--beta", "8", "--dry-run"])
    record = json.loads(capsys.readouterr().out)
    assert (record["recipe"], record["model"]["beta"]) == ("beta-vae", 8.0)
    (tmp_path / "mine.json").write_text(json.dumps(record))
    run(["train", "--config", "mine.json", "--latent", "5", "--dry-run"])
    again = json.loads(capsys.readouterr().out)
    assert (again["model"]["beta"], again["model"]["latent"]) == (8.0, 5)
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.json"]


def test_lists(trained, capsys):
    run(["recipes"])
    assert "beta-tcvae" in capsys.readouterr().out
    run(["recipes", "--json"])
    assert json.loads(capsys.readouterr().out)["vae"]["config"]["family"] == "vae"
    run(["runs", str(trained.parent), "--json"])
    [row] = json.loads(capsys.readouterr().out)
    assert (row["recipe"], row["images"], row["state"]) == ("vae", 120, "finished")
    assert row["held_out_loss"] == pytest.approx(
        json.loads(trained.joinpath("log.jsonl").read_text().splitlines()[-1])["held_out"]["loss"]
    )
    run(["doctor", "--environment", "--json"])
    assert json.loads(capsys.readouterr().out)["device_that_auto_takes"]


def test_runs_lists_a_gan_beside_a_vae(home, capsys):
    assert run(["runs", str(home / "runs"), "--json"]) == 0
    rows = {row["recipe"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["gan"]["images"] == 200 and rows["gan"]["held_out_loss"] is None  # a game of two has no one loss
    assert rows["vae"]["held_out_loss"] is not None
    assert run(["runs", str(home / "runs")]) == 0


def test_a_reader_that_leaves_does_not_end_a_training(tmp_path):
    command = [sys.executable, "-m", "latentry", "train", "vae", "--data", "digits", "--images", "3k", "--out", "runs"]
    train = subprocess.Popen([*command, "--ticks", "20", "--width", "4"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert train.stdout is not None
    train.stdout.readline()
    train.stdout.close()
    assert train.wait() == 0
    [made] = (tmp_path / "runs").iterdir()
    assert (made / "report.html").is_file()


def test_a_finished_run_that_is_resumed_keeps_what_was_learnt_of_it(tmp_path, capsys):
    made = latentry.train("vae", "digits", images="400", width=4, latent=3, ticks=2, out=tmp_path).path
    assert run(["directions", str(made), "-o", str(tmp_path / "sheet.png")]) == 0
    kept = (made / "model" / "vectors").stat().st_mtime_ns
    assert run(["train", "--resume", str(made)]) == 0
    assert (made / "model" / "vectors").stat().st_mtime_ns == kept
    assert run(["train", "--resume", str(made), "--images", "800"]) == 0
    assert not (made / "model" / "vectors").exists()
    assert "belonged to the weights before" in capsys.readouterr().out


def test_ctrl_c_outside_of_training_is_one_line(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("latentry.cli.run", interrupted)
    monkeypatch.setattr(sys, "argv", ["latentry"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "latentry: stopped\n"
