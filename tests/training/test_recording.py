"""Steps that are repeated without Python do what the plain step does: to the bit, or to a compiler's rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from latentry.api.assemble import prepare, settle
from latentry.api.opening import open_config_images
from latentry.models.contract import Batch
from latentry.models.gan import GANMethod
from latentry.models.optimise import updates_by
from latentry.models.own import OwnNetworks
from latentry.ranks import Ranks
from latentry.settings.config import Config
from latentry.training import compile as compiling
from latentry.training.graphs import GraphedStep
from latentry.training.loop import Loop
from latentry.training.recording import Recorded, StaticStep, Terms, in_precision, leaving_no_trace
from latentry.training.rng import rng_for
from latentry.training.schedule import set_pace
from latentry.training.stream import fits_on_device
from tests.training.families import config_of

# One of every family, with all that a step draws, counts and changes along the run.
RECORDED: dict[str, dict[str, Any]] = {
    "autoencoder, noise, masking, dropout": {},
    "vae, batch norm, flips": {"beta_warmup": 0.6},
    "vq-vae, revival": {},
    "dcgan, batch norm in both": {},
    "wgan-gp, five critic steps": {"critic_steps": 2},
    "r3gan": {"penalty_end": 0.1, "optimiser": "adam", "adam_beta2_end": 0.99},
    "sngan": {},
    "cgan, fully connected, dropout": {},
    "adaptive augmentation, critic dropout": {},
}
COMPILED: dict[str, dict[str, Any]] = {
    "autoencoder, noise, masking, dropout": {"backbone": "mlp", "hidden": (8,)},
    "conditional vae": {"backbone": "mlp", "hidden": (8,)},
    "wgan-gp, five critic steps": {"critic_steps": 1, "backbone": "mlp", "hidden": (8,), "critic_hidden": (8,)},
    "wgan, clipped": {
        "critic_steps": 2,
        "backbone": "mlp",
        "hidden": (8,),
        "critic_hidden": (8,),
    },  # weights change twice in each of two updates
}


def loop_of(config: Config, out: Path) -> Loop:
    images = open_config_images(config)
    return prepare(settle(config, images), images, OwnNetworks(), out, [], Ranks())


def begun(family: str, out: Path, **settings: Any) -> Loop:
    """A loop that has taken one step."""
    config = config_of(family).with_settings(compile="off", **settings)
    loop = loop_of(config, out)
    loop._step(progress=0.1)
    return loop


def batch_of(loop: Loop, step: int) -> Batch:
    return loop.train.step(step, loop.training.batch, 0, parts=loop.method.batches)


def state_of(loop: Loop) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in loop.method.module.state_dict().items()}


def recorded_of(loop: Loop) -> Recorded:
    with leaving_no_trace(loop.method):
        return Recorded(StaticStep(loop.method, batch_of(loop, 1), loop.training.precision))


def same(one: Tensor, other: Tensor) -> bool:
    """Bit for bit; torch 2.6 writes down another order for one of the encoder's sums, which is rounded otherwise."""
    if torch.__version__.startswith("2.6."):
        return bool((one.double() - other.double()).norm() <= 1e-5 * one.double().norm())
    return torch.equal(one, other)


@pytest.mark.parametrize("family", RECORDED)
def test_a_recorded_step_is_the_step(family: str, tmp_path: Path) -> None:
    """Weights, buffers and terms are the same bits: a number of one step that stayed in the graph would show in the
    next one, which has other pictures, other noise, another learning rate and another share of the run."""
    loop = begun(family, tmp_path, **RECORDED[family])
    method, before = loop.method, state_of(loop)
    recorded = recorded_of(loop)
    assert all(torch.equal(value, before[name]) for name, value in state_of(loop).items())

    def two_steps(recorded: Recorded | None) -> tuple[list[dict[str, Tensor]], dict[str, Tensor], list[Tensor]]:
        terms = []
        with leaving_no_trace(method):
            for step, progress in ((2, 0.3), (3, 0.55)):
                set_pace(method.optimisers, loop.training, progress)
                batch, rng = batch_of(loop, step), rng_for(0, "step", step)
                if recorded is None:
                    terms.append(method.step(batch, rng, progress))
                else:
                    recorded.step.fill(batch, rng, progress)
                    terms.append(recorded.run(recorded.graph))
            gradients = [weight.grad.clone() for weight in method.module.parameters() if weight.grad is not None]
            return terms, state_of(loop), gradients

    plain, again = two_steps(None), two_steps(recorded)
    for one, other in zip(plain[0], again[0], strict=True):
        assert one.keys() == other.keys()
        assert all(same(one[name], other[name]) for name in one)
    assert all(same(plain[1][name], again[1][name]) for name in plain[1])
    assert any(not torch.equal(plain[1][name], before[name]) for name in before)
    assert all(map(same, plain[2], again[2]))  # the doctor reads them
    if isinstance(method, GANMethod):  # it scores the real pictures of the last step
        assert method._last_real is not None
        assert torch.equal(method._last_real.x, batch_of(loop, 3).split(loop.training.batch)[-1].x)


def test_a_set_lives_on_the_device_where_it_leaves_two_thirds_free() -> None:
    assert fits_on_device(26_000_000, 80_000_000)
    assert not fits_on_device(27_000_000, 80_000_000)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler about torch's own
@pytest.mark.parametrize("family", COMPILED)
def test_a_compiled_step_is_the_step_to_rounding(family: str, tmp_path: Path) -> None:
    """Gradients, gradients of gradients, conditions and dropout; float32 has 7 digits, of which 4 have to agree."""
    loop = begun(family, tmp_path, **COMPILED[family])
    before = state_of(loop)
    recorded = recorded_of(loop)
    recorded.step.fill(batch_of(loop, 2), rng_for(0, "step", 2), 0.3)
    assert compiling.apart(compiling.Compiled(recorded)) < 1e-4 / compiling._AGREES
    assert all(torch.equal(value, before[name]) for name, value in state_of(loop).items())


class Otherwise:
    """In place of a step, the step with other pictures at some of its turns, or without one optimiser's updates."""

    def __init__(self, step: StaticStep, *, turns_apart: int = 0, forgets: str = "") -> None:
        self.step, self._turns_apart, self._forgets = step, turns_apart, forgets

    def again(self) -> Terms:
        x, *rest = self.step.inputs()
        forgotten = self.step.method.optimisers.get(self._forgets)
        self._turns_apart -= 1
        with updates_by(lambda optimiser: None if optimiser is forgotten else optimiser.step()):
            return self.step(x if self._turns_apart < 0 else 0.9 * x, *rest)


def test_a_mistake_is_one_at_every_turn_and_bad_luck_at_some(tmp_path: Path) -> None:
    """Without momentum, five updates of a critic can make a hundredth of a gradient out of its last digits."""
    step = recorded_of(begun("wgan-gp, five critic steps", tmp_path, adam_beta1=0.0)).step
    x = step.batch.x.clone()
    assert compiling.apart(Otherwise(step)) == compiling.apart(Otherwise(step, turns_apart=2)) == 0
    assert compiling.apart(Otherwise(step, turns_apart=3)) > 3
    assert compiling.apart(Otherwise(step, forgets="critic")) > 3
    assert torch.equal(step.batch.x, x)


@pytest.mark.parametrize("family", ["vae, batch norm, flips", "sngan"])
def test_bfloat16(family: str, tmp_path: Path) -> None:
    """Losses and weights stay float32; terms are near those of float32 and recorded ones the same bits."""
    settings = RECORDED[family]
    terms = {}
    for precision in ("float32", "bfloat16"):
        loop = begun(family, tmp_path, precision=precision, **settings)
        batch, rng = batch_of(loop, 2), rng_for(0, "step", 2)
        recorded = recorded_of(loop)
        with leaving_no_trace(loop.method), in_precision(precision, batch.x.device):
            terms[precision] = loop.method.step(batch, rng, 0.3)
        recorded.step.fill(batch, rng_for(0, "step", 2), 0.3)
        again = recorded.run(recorded.graph)
        assert all(torch.equal(value, again[name]) for name, value in terms[precision].items())
        assert {weight.dtype for weight in loop.method.module.parameters()} == {torch.float32}
    for name, value in terms["bfloat16"].items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, terms["float32"][name], rtol=0.05, atol=0.05)
    assert any(not torch.equal(value, terms["float32"][name]) for name, value in terms["bfloat16"].items())


class FakeGraph:
    """Stands for a CUDA graph: says when it is captured and replayed."""

    def __init__(self, said: list[str]) -> None:
        self.said, self.name = said, f"piece {sum(word.startswith('capture') for word in said)}"
        said.append(f"capture {self.name}")

    def __enter__(self) -> FakeGraph:
        return self

    def __exit__(self, *error: object) -> None:
        self.said.append(f"end {self.name}")

    def replay(self) -> None:
        self.said.append(self.name)


def test_graphs_are_cut_at_the_updates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two updates of the critic and one of the generator make four pieces; every update has its own gradients."""
    loop = begun("wgan-gp, five critic steps", tmp_path, critic_steps=2)
    said: list[str] = []
    with leaving_no_trace(loop.method):
        step = StaticStep(loop.method, batch_of(loop, 1), "float32")
        graphed = GraphedStep(step, lambda: FakeGraph(said))
    assert said == [f"{what} piece {n}" for n in range(4) for what in ("capture", "end")]
    said.clear()
    gradients = {}
    for name, optimiser in loop.method.optimisers.items():

        def update(name: str = name, optimiser: torch.optim.Optimizer = optimiser) -> None:
            said.append(name)
            gradients[len(said)] = [weight.grad for group in optimiser.param_groups for weight in group["params"]]

        monkeypatch.setattr(optimiser, "step", update)
    graphed(batch_of(loop, 2), rng_for(0, "step", 2), 0.3)
    assert said == ["piece 0", "critic", "piece 1", "critic", "piece 2", "generator", "piece 3"]
    assert all(a is not None and b is not None and a is not b for a, b in zip(gradients[2], gradients[4], strict=True))
    assert torch.equal(step.batch.x, batch_of(loop, 2).x)
    assert float(step.progress) == 0.3
