"""Kill it anywhere: the resumed run ends with the same bytes as the one that was never stopped."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch

from latentry.training.checkpoint import list_checkpoints, load_checkpoint
from latentry.training.run import Run

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "COLUMNS": "200"}


def command(*arguments):
    return [sys.executable, "-m", "latentry", "train", *map(str, arguments)]


def start(folder, out, images):
    """Arguments of a small VAE with batch norm, an average and warm-up: all that there is to restore."""
    return command(
        "vae", "--data", folder / "pictures.npy", "--out", out, "--images", images, "--batch", 16, "--latent", 4,
        "--width", 8, "--norm", "batch", "--ticks", 40, "--checkpoints", 40, "--beta-warmup", 0.3, "--ema", 200,
        "--mixture-components", 1, "--second-stage-steps", 5,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    pictures = np.random.default_rng(0).integers(0, 256, (300, 3, 16, 16), dtype=np.uint8)
    np.save(folder / "pictures.npy", pictures)
    return folder


def final_bytes(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def check_all_checkpoints_load(run: Path) -> None:
    for checkpoint in list_checkpoints(Run(run).checkpoints):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize("kills", [int(os.environ.get("LATENTRY_TEST_KILLS", "4"))])
def test_killed_at_random_moments(folder, tmp_path, kills):
    """LATENTRY_TEST_KILLS=20 makes it twenty."""
    images = 8_000 * kills
    subprocess.run(start(folder, tmp_path / "whole", images), env=ENVIRONMENT, check=True, capture_output=True)
    [whole] = (tmp_path / "whole").iterdir()

    moments = random.Random(7)
    out = tmp_path / "killed"
    arguments = start(folder, out, images)
    done = 0
    for _ in range(kills):
        process = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        _wait_for_training(process)
        time.sleep(moments.uniform(0.0, 2.0))
        process.send_signal(signal.SIGKILL)
        done += process.wait() == -signal.SIGKILL
        assert process.stdout is not None
        process.stdout.close()
        [run] = out.iterdir()
        check_all_checkpoints_load(run)
        arguments = command("--resume", run)
    assert done >= kills - 1, "the run was over before it could be killed; it must be longer"
    subprocess.run(arguments, env=ENVIRONMENT, check=True, capture_output=True)
    assert final_bytes(run) == final_bytes(whole)
    newest = [load_checkpoint(list_checkpoints(r / "checkpoints")[-1])[0] for r in (run, whole)]
    assert safetensors.torch.save(newest[0]) == safetensors.torch.save(newest[1])  # optimiser and average too
    assert [r["images"] for r in Run(run).read_log()] == [r["images"] for r in Run(whole).read_log()]


def _wait_for_training(process):
    """Until the first line: the run folder is there and steps are being made."""
    assert process.stdout is not None
    for line in process.stdout:
        if b"training" in line or b"continuing" in line:
            return


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(folder, tmp_path, number):
    process = subprocess.Popen(
        start(folder, tmp_path, 10_000_000), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    _wait_for_training(process)
    time.sleep(0.5)
    process.send_signal(number)
    output = process.communicate()[0].decode()
    [run] = tmp_path.iterdir()
    assert process.returncode == 128 + number, output
    assert f"latentry train --resume {run}" in output
    [checkpoint] = list_checkpoints(run / "checkpoints")[-1:]
    assert load_checkpoint(checkpoint)[1]["images"] > 0
