"""Budget, schedule, average, randomness: the loop's parts, each against its closed form."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from latentry.settings.training import TrainingSettings
from latentry.training.budget import Budget, resolve_budget
from latentry.training.ema import EMA, ema_decay
from latentry.training.rng import derive_seed, rng_for
from latentry.training.schedule import lr_factor, set_pace


def test_budget_in_images_seconds_and_epochs():
    assert resolve_budget(TrainingSettings(images="2k"), 100, 60).images == 2000
    assert resolve_budget(TrainingSettings(epochs=1.5), 100, 60).images == 150
    assert resolve_budget(TrainingSettings(), 100, 60).seconds == pytest.approx(51)  # the rest is for finishing
    assert Budget(images=200, seconds=None).progress(50, 1e9) == 0.25
    assert Budget(images=None, seconds=20.0).progress(10**9, 30) == 1.0


def test_learning_rate_schedules():
    constant = TrainingSettings(schedule="constant", warmup=0.0)
    assert [lr_factor(constant, p) for p in (0, 0.5, 1)] == [1, 1, 1]
    cosine = TrainingSettings(schedule="cosine", warmup=0.0)
    assert lr_factor(cosine, 0.25) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    linear = TrainingSettings(schedule="linear", warmup=0.1)
    assert lr_factor(linear, 0.05) == pytest.approx(0.5 * 0.95)
    step = TrainingSettings(schedule="step", warmup=0.0, step_at=(0.4, 0.7), step_factor=0.5)
    assert [lr_factor(step, p) for p in (0.3, 0.4, 0.9)] == [1, 0.5, 0.25]


def test_groups_keep_their_own_scale():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    groups: list[dict[str, Any]] = [{"params": [a]}, {"params": [b], "lr_scale": 10.0}]
    optimiser = torch.optim.Adam(groups)
    set_pace({"it": optimiser}, TrainingSettings(lr=0.01, schedule="constant", warmup=0.0), 0.5)
    assert [group["lr"] for group in optimiser.param_groups] == [0.01, 0.1]


def test_average_after_n_steps():
    """Test 19: after n steps of decay r from w0 toward a constant w, the average is w + r^n (w0 - w)."""
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(5.0)
    ema = EMA(module)
    with torch.no_grad():
        module.weight.fill_(2.0)
    for _ in range(7):
        ema.update(0.9)
    average = next(ema.module.parameters())
    assert average.item() == pytest.approx(2 + 0.9**7 * (5 - 2), rel=1e-6)


def test_half_life_is_in_images():
    assert ema_decay(512, 5e6, 10**12) == pytest.approx(0.99993, abs=1e-5)  # R3GAN's constants
    assert ema_decay(64, 64, 10**9) == 0.5
    assert ema_decay(64, 10**9, 64 * 20) == 0.5  # young: half-life a twentieth of the images seen
    assert ema_decay(64, 0, 6400) == 0.0  # no average


def test_average_takes_buffers_along():
    module = nn.BatchNorm1d(3)
    ema = EMA(module)
    module(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) + 4)
    ema.update(0.99)
    buffers = dict(module.named_buffers())
    assert all(torch.equal(value, buffers[name]) for name, value in ema.module.named_buffers())
    assert buffers["running_mean"].abs().min() > 0


def test_randomness_depends_on_every_part_and_on_nothing_else():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    seeds = {derive_seed(s, *p) for s in (0, 1) for p in (("step", 1), ("step", 2), ("held-out",), ("step", 1, 0))}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert torch.equal(torch.rand(3, generator=rng_for(3, "a")), torch.rand(3, generator=rng_for(3, "a")))
    assert torch.equal(torch.get_rng_state(), before)
