"""Several processes train one model: together they do what one does, and one of them may die."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import latentry
from latentry.data import open_images
from latentry.errors import InputError
from latentry.ranks import Ranks, happens, in_parts, normal, own_indices, together, uniform
from latentry.training.checkpoint import list_checkpoints, load_checkpoint
from latentry.training.ranks import check_batch
from latentry.training.run import Run
from latentry.training.stream import PictureStream
from tests.training.families import FAMILIES, few_steps

HERE = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "COLUMNS": "200"}
# Sums are in another order; rounding then grows through Adam, whose first steps divide by tiny numbers.
TOLERANCE = 1e-4


def start_ranks(*arguments, world=2, **variables):
    """One process a rank, told by the environment as torchrun does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **variables}
    return [
        subprocess.Popen(
            [sys.executable, "-m", *map(str, arguments)],
            env={**ENVIRONMENT, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=HERE, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(world)
    ]  # fmt: skip


def outcome(processes):
    """Exit status, output and errors of each rank."""
    try:
        said = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.terminate()  # nothing to those that have ended
    return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    """What two ranks have after a few steps of every family."""
    out = tmp_path_factory.mktemp("families")
    for status, _, errors in outcome(start_ranks("tests.training.families", out)):
        assert status == 0, errors
    return out


@pytest.mark.parametrize("family", FAMILIES)
def test_two_ranks_do_what_one_does(two_ranks, tmp_path, family):
    """Weights, averages, statistics, codebooks, probabilities and the optimisers' moments."""
    first, second = (safetensors.torch.load_file(two_ranks / f"{family}-{rank}.safetensors") for rank in (0, 1))
    one, terms = few_steps(family, tmp_path, Ranks())
    assert first.keys() == one.keys()
    for name, tensor in one.items():
        assert torch.equal(first[name], second[name]), f"{name} differs between ranks"
        assert first[name].dtype == tensor.dtype
        assert torch.allclose(first[name], tensor, rtol=TOLERANCE, atol=TOLERANCE), name
    told = json.loads((two_ranks / f"{family}-1.json").read_text())
    for name, value in terms.items():
        assert told[name] == pytest.approx(value, rel=1e-3, abs=1e-3), name


def happens_here(p, shape, rng):
    return happens(p, shape, rng, torch.device("cpu"))


def test_the_ranks_noise_is_the_noise_of_one():
    """Or the ranks would learn from the same noise twice, and from other noise than one rank."""

    def source():
        return torch.Generator().manual_seed(3)

    for draw in (normal, uniform):
        whole, across = draw((6, 4), source()), draw((2, 6), source(), rows=1)
        parts = whole.view(2, 3, 4)
        for rank in range(3):
            with together(Ranks(rank, 3)):
                start, end = own_indices(2)
                assert torch.equal(draw((2, 4), source()), whole[start:end])
                assert torch.equal(draw((2, 2), source(), rows=1), across[:, start:end])
                with in_parts(2):
                    assert torch.equal(draw((2, 4), source()), parts[:, rank])
    with together(Ranks(1, 3)):
        own = happens_here(0.5, (3, 7), source())
    assert torch.equal(own, happens_here(0.5, (9, 7), source())[3:6])


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.25, 0.6, 1 - 1e-6])
def test_things_happen_as_often_as_they_should(p):
    n = 10**6
    found = happens_here(p, (n // 10, 10), torch.Generator().manual_seed(0))
    assert found.shape == (n // 10, 10)
    assert found.double().mean().item() == pytest.approx(p, abs=5 * (p * (1 - p) / n) ** 0.5 + 2**-16)
    together_twice = (found[1:] & found[:-1]).double().mean().item()  # neither bits nor their neighbours are shared
    assert together_twice == pytest.approx(p * p, abs=5 * p * ((1 - p * p) / n) ** 0.5 + 2**-15)


def test_the_ranks_pictures_are_the_pictures_of_one():
    """Each rank has its rows of every part of a step, mirrored as they would be."""
    images = open_images("digits")
    stream = PictureStream(images, np.arange(100), torch.device("cpu"), flip=True)
    parts = stream.step(7, 12, 5, parts=3).x.view(3, 2, 6, *images.spec.shape)
    for rank in range(2):
        own = stream.step(7, 12, 5, parts=3, ranks=Ranks(rank, 2)).x
        assert torch.equal(own, parts[:, rank].flatten(0, 1))


@pytest.mark.parametrize(
    ("batch", "packing", "world", "advice"), [(33, 1, 2, "32 or 34"), (1, 1, 4, "try 4"), (12, 4, 2, "8 or 16")]
)
def test_a_batch_that_cannot_be_shared(batch, packing, world, advice):
    with pytest.raises(InputError, match=advice):
        check_batch(batch, packing, Ranks(0, world))
    check_batch(8 * batch, packing, Ranks(0, world))


def test_one_rank_says_what_all_refuse(tmp_path):
    said = outcome(start_ranks("latentry", "train", "vae", "--data", "digits", "--batch", 33, "--out", tmp_path))
    assert [status for status, _, _ in said] == [2, 2]
    assert said[0][2].count("latentry: batch (=33) must be a multiple of the number of ranks (=2); try 32 or 34") == 1
    assert said[1][1] + said[1][2] == ""
    assert not list(tmp_path.iterdir())


SMALL: dict[str, Any] = {
         "data": "digits", "width": 4, "latent": 3, "batch": 16, "ema": "100", "schedule": "constant", "warmup": 0.0,
         "norm": "batch", "mixture_components": 1, "second_stage_steps": 0, "device": "cpu", "ticks": 1}  # fmt: skip
FLAGS = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def test_a_run_may_go_on_with_another_number_of_ranks(tmp_path):
    """One rank, then two, then one: the run is the one that one rank makes."""
    whole = latentry.train("vae", out=tmp_path / "whole", images="480", **SMALL)
    run = latentry.train("vae", out=tmp_path / "changed", images="160", **SMALL).run
    shared = outcome(start_ranks("latentry", "train", "--resume", run.path, "--images", 320))
    assert [status for status, _, _ in shared] == [0, 0], shared
    assert shared[1][1] + shared[1][2] == ""
    again = latentry.resume(run.path, config=whole.run.read_config())
    newest = [load_checkpoint(list_checkpoints(r.checkpoints)[-1])[0] for r in (whole.run, again.run)]
    for name, tensor in newest[0].items():
        torch.testing.assert_close(newest[1][name], tensor, rtol=1e-3, atol=1e-3)
    assert whole.log[-1]["held_out"]["loss"] == pytest.approx(again.log[-1]["held_out"]["loss"], rel=1e-3)


def test_a_loss_that_is_not_finite_stops_all_ranks(tmp_path):
    flags = ["--images", "3200", "--lr", "1e30", *FLAGS, "--out", tmp_path]
    said = outcome(start_ranks("latentry", "train", "vae", *flags))
    assert [status for status, _, _ in said] == [2, 2], said
    assert "training became non-finite" in said[0][2]
    assert said[1][1] + said[1][2] == ""


def test_a_signal_to_any_rank_saves_and_stops_all(tmp_path):
    often = ["--ticks", "1000000", "--checkpoints", "1000000"]
    ranks = start_ranks("latentry", "train", "vae", "--images", "1G", *FLAGS, *often, "--out", tmp_path)
    run = _wait_for_steps(tmp_path)
    ranks[1].send_signal(signal.SIGTERM)
    said = outcome(ranks)
    assert [status for status, _, _ in said] == [128 + signal.SIGTERM] * 2, said
    assert "latentry train --resume" in said[0][1]
    assert load_checkpoint(list_checkpoints(run.checkpoints)[-1])[1]["images"] % 16 == 0


def test_a_killed_rank_is_started_again_and_the_run_finished(tmp_path):
    """In the folder it had, each tick once."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts",
               "3", "-m", "latentry", "train", "vae", "--images", "8k", *FLAGS, "--ticks", "10", "--checkpoints", "10",
               "--out", str(tmp_path)]  # fmt: skip
    pipes: dict[str, Any] = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    agent = subprocess.Popen(command, env=ENVIRONMENT, cwd=HERE, **pipes)
    run = _wait_for_steps(tmp_path)
    workers = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    os.kill(int(workers[-1]), signal.SIGKILL)
    [(status, output, _)] = outcome([agent])
    assert status == 0, output
    assert list(tmp_path.iterdir()) == [run.path]
    assert "continuing from" in output, "the run was over before its rank was killed; it must be longer"
    assert [record["images"] for record in run.read_log()] == list(range(800, 8001, 800))
    assert run.model.is_dir()
    assert latentry.load(run.path).sample(2).shape[0] == 2


def _wait_for_steps(out):
    """Until the first checkpoint."""
    for _ in range(2400):
        time.sleep(0.05)
        if (runs := list(out.iterdir())) and list_checkpoints(Run(runs[0]).checkpoints):
            return Run(runs[0])
    raise AssertionError("no checkpoint was written in two minutes")
