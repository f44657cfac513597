"""How steps are taken is chosen by what it saves and costs, said once, and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from latentry.errors import InputError
from latentry.files import read_json
from latentry.ranks import Ranks
from latentry.settings.training import TrainingSettings
from latentry.training import compile as compiling
from latentry.training.loop import Loop
from latentry.training.stepper import Stepper, check_compile
from tests.training.families import config_of
from tests.training.test_recording import batch_of, loop_of

VAE = "conditional vae"
MLP: dict[str, Any] = {"backbone": "mlp", "hidden": (8,)}


def chosen(loop: Loop, left: float | int) -> str:
    """What the log says after the first steps, of a run of which so much is left."""
    for step in range(2):
        loop._stepper(batch_of(loop, step), torch.Generator().manual_seed(step), 0.1, step, left)
    return loop._stepper.take_note()["compile"]


class FakeCompiled:
    """Compiles nothing."""

    def __init__(self, recorded: Any) -> None:
        self.step = recorded.step

    def __call__(self, batch: Any, rng: Any, progress: float) -> dict[str, Any]:
        return {"by": "compiled"}

    def again(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("settings", "left", "says"),
    [
        (MLP, 250.0, "off: what is left of the run is too short"),
        (MLP, 80_000, "off: what is left of the run is too short"),
        ({}, 1e6, "off: on a CPU it saves next to nothing where convolutions take the time"),
    ],
)
def test_what_cannot_win_back_its_cost_is_not_compiled(
    tmp_path: Path, settings: dict[str, Any], left: float | int, says: str
) -> None:
    """And the choice is kept, and said once."""
    loop = loop_of(config_of(VAE).with_settings(**settings), tmp_path)
    assert chosen(loop, left).startswith(says)
    assert loop._stepper.take_note() == {}
    assert read_json(loop.run.path / "compile.json")["kind"] == "plain"


@pytest.mark.parametrize(
    ("left", "apart", "says", "kind"),
    [
        (300.0, 0.1, "on: fully connected networks, and a long run", "compiled"),
        (100_000, 0.1, "on: fully connected networks, and a long run", "compiled"),
        (1000.0, 7.0, "off: this step cannot be compiled (it does not do what the plain step does)", "plain"),
        (1000.0, float("nan"), "off: this step cannot be compiled (it does not do what the plain step does)", "plain"),
    ],
)
def test_a_long_run_of_fully_connected_networks_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: float | int, apart: float, says: str, kind: str
) -> None:
    monkeypatch.setattr(compiling, "Compiled", FakeCompiled)
    monkeypatch.setattr(compiling, "apart", lambda fast: apart)
    loop = loop_of(config_of(VAE).with_settings(**MLP), tmp_path)
    assert chosen(loop, left) == says
    record = read_json(loop.run.path / "compile.json")
    assert (record["kind"], record["step"], record["device"]) == (kind, 1, "cpu")

    resumed = Stepper(loop.run, loop.method, loop.training, Ranks())  # the first step was plain, and is again
    by = [resumed(batch_of(loop, 0), torch.Generator(), 0.1, step, 1.0).get("by") for step in (0, 1)]
    assert by == [None, "compiled" if kind == "compiled" else None]
    assert resumed.take_note() == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler about torch's own
def test_a_compiled_run_resumes_bit_for_bit(tmp_path: Path) -> None:
    """Its first step is plain, so a run that went on from a checkpoint would differ if that were not remembered."""
    config = config_of(VAE).with_settings(**MLP, compile="on")
    whole = loop_of(config, tmp_path)
    for step in range(5):
        if step == 3:
            whole.save(score=None)
        whole._step(progress=0.1 * step)
    halves = loop_of(config, tmp_path)
    halves.resume(next(iter(whole.run.checkpoints.glob("[0-9]*"))))
    for step in (3, 4):
        halves._step(progress=0.1 * step)
    assert whole._stepper._taken == 1  # the rest was compiled
    assert halves._stepper._taken == 0
    for a, b in zip(whole.method.module.parameters(), halves.method.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_compiler_that_errs_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where compiling was asked for, or restored: nothing is trained by a wrong step."""
    monkeypatch.setattr(compiling, "Compiled", FakeCompiled)  # its step does nothing
    loop = loop_of(config_of(VAE).with_settings(compile="on"), tmp_path)
    loop._step(progress=0.1)
    with pytest.raises(InputError, match=r"cannot be compiled here .*not do what the plain step does.*compile=off"):
        loop._step(progress=0.2)


def test_what_cannot_be_compiled_is_refused() -> None:
    on = TrainingSettings(compile="on")
    check_compile(on, Ranks())
    with pytest.raises(InputError, match=r"compile=on cannot be had with 2 processes.*compile=auto or off"):
        check_compile(on, Ranks(0, 2))
    with pytest.raises(InputError, match=r"compile=on cannot be had with micro-batch \(=4\)"):
        check_compile(TrainingSettings(compile="on", micro_batch=4), Ranks())
    check_compile(TrainingSettings(micro_batch=4), Ranks(0, 2))
