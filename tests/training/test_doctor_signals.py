"""What is measured at a tick, against answers known by construction."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import latentry
from latentry.models.contract import Batch
from latentry.models.critic import Judgement
from latentry.models.optimise import build_optimiser
from latentry.settings.specs import ImageSpec
from latentry.settings.training import TrainingSettings
from latentry.training.doctor import Finding
from latentry.training.doctor.critic import bounds, dependence, share_above
from latentry.training.doctor.linear_probe import LinearProbe
from latentry.training.doctor.pictures import Sketch, compare, copied, explained, mean_distance, to_neighbour
from latentry.training.doctor.weights import at_limit, gradient_sizes, layer_of, update_ratios


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_distances_of_three_points_on_a_line():
    points = torch.tensor([[0.0], [1.0], [3.0]])
    assert mean_distance(points) == pytest.approx((1 + 3 + 2) / 3)
    assert to_neighbour(points, 1).tolist() == [1, 1, 2]
    assert to_neighbour(points, 5).tolist() == [3, 2, 3]  # no more than there are


def test_a_sketch_keeps_distances_and_tells_colours_apart():
    """Red and blue of equal brightness are the same grey; a sketch that saw only grey would call them copies."""
    sketch = Sketch(ImageSpec(3, 40, 24), rng())
    x = torch.rand(30, 3, 40, 24, generator=rng(1)) * 2 - 1
    small = torch.nn.functional.interpolate(x, (16, 16), mode="area").flatten(1)
    assert mean_distance(sketch(x)) == pytest.approx(mean_distance(small), rel=0.05)
    red, blue = torch.zeros(2, 3, 40, 24)
    red[0], blue[2] = 1.0, 1.0
    assert float((sketch(red[None]) - sketch(blue[None])).norm()) > 5


def test_the_same_pictures_are_as_various_and_cover_all():
    x = torch.randn(150, 6, generator=rng())
    other = torch.randn(150, 6, generator=rng(1))
    same = compare(other, x)
    assert same["diversity"] == pytest.approx(1, abs=0.1)
    assert same["coverage"] > 0.9
    assert same["repeated"] == 0
    assert np.abs(same["place"]).max() < 0.4


def test_collapse_in_numbers():
    x = torch.randn(150, 6, generator=rng())
    one = compare(x[:1] + 1e-4 * torch.randn(150, 6, generator=rng(1)), x)
    assert one["diversity"] < 0.001
    assert one["repeated"] == 1
    assert one["coverage"] < 0.1
    sides = x + 10 * x[:, :1].sign()
    half = compare(torch.where(x[:, :1] > 0, sides, -sides), sides)  # one of two clusters
    assert half["coverage"] == pytest.approx(float((x[:, 0] > 0).double().mean()), abs=0.05)


def test_copies_are_near_one_training_picture_and_far_from_the_next():
    trained = torch.randn(300, 10, generator=rng())
    fresh = torch.randn(100, 10, generator=rng(1))
    share, ratio = copied(trained[:100] + 0.01, trained)
    assert share == 1
    assert ratio < 0.1
    share, ratio = copied(fresh, trained)
    assert share == 0
    assert ratio > 0.8
    assert copied(fresh, trained[:2]) == (0, 1)  # too few to have a second


def test_explained_is_one_for_the_pictures_and_nought_for_their_mean():
    x = torch.randn(20, 1, 4, 4, generator=rng())
    assert explained(x, x) == 1
    assert explained(x, x.mean(dim=0).expand_as(x)) == pytest.approx(0, abs=1e-6)


def test_a_probe_reads_labels_that_show_and_no_others():
    x = torch.randn(600, 12, generator=rng())
    told = torch.stack([x[:, 0].sign(), torch.randn(600, generator=rng(1)).sign()], dim=1)
    probe = LinearProbe(x, told)
    assert probe.on_reals[0] > 0.7
    assert abs(probe.on_reals[1]) < 0.15
    assert probe.agreement(x, -told)[0] < -0.7


def two_layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2, bias=False))


def test_gradients_by_layer_are_root_mean_squares():
    net = two_layers()
    net[0].weight.grad = torch.full((3, 4), 2.0)
    net[0].bias.grad = torch.full((3,), 2.0)
    net[1].weight.grad = torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
    assert gradient_sizes(net) == {"0": pytest.approx(2), "1": pytest.approx((25 / 6) ** 0.5)}
    assert layer_of("critic.score.parametrizations.weight.original") == "critic.score"


@pytest.mark.parametrize(
    "make",
    [
        lambda w: torch.optim.AdamW(w, lr=0.01, betas=(0.5, 0.9), weight_decay=0.0),
        lambda w: torch.optim.AdamW(w, lr=0.01, betas=(0.0, 0.9), weight_decay=0.0),
        lambda w: build_optimiser(w, TrainingSettings(optimiser="rmsprop", lr=0.01, adam_beta2=0.9)),
        lambda w: torch.optim.SGD(w, lr=0.01),
    ],
)
def test_the_recomputed_step_is_the_step_that_was_made(make):
    net = two_layers()
    optimiser = make(list(net.parameters()))
    for step in range(3):
        before = [weight.detach().clone() for weight in net.parameters()]
        optimiser.zero_grad()
        net(torch.randn(8, 4, generator=rng(step))).square().mean().backward()
        optimiser.step()
    moved = {}
    for (name, weight), old in zip(net.named_parameters(), before, strict=True):
        if weight.dim() == 2:
            moved[layer_of(name)] = float((weight.detach() - old).norm() / weight.detach().norm())
    found = update_ratios(net, {"all": optimiser})
    assert found == {name: pytest.approx(size, rel=1e-3) for name, size in moved.items()}


def test_weights_at_the_limit_are_counted_without_gains_and_biases():
    net = two_layers()
    with torch.no_grad():
        net[0].weight.fill_(0.005)
        net[0].weight[0] = 0.01
        net[0].bias.fill_(0.01)
        net[1].weight.fill_(-0.01)
    assert at_limit(net, 0.01) == pytest.approx((4 + 6) / 18)


class Simple(nn.Module):
    """A critic with something between its layers."""

    def __init__(self, between, last=None):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), between, nn.Linear(8, 1), last or nn.Identity())

    def forward(self, x, condition=None):
        return Judgement(self.layers(x).squeeze(1), None)


def test_batch_norm_makes_scores_depend_on_others_and_dropout_does_not():
    x = Batch(torch.randn(6, 1, 4, 4, generator=rng()))
    torch.manual_seed(0)
    normalised = Simple(nn.BatchNorm1d(8))
    before = copy.deepcopy(normalised.state_dict())
    assert dependence(normalised, x, 1, rng()) > 0.01
    assert all(torch.equal(before[name], value) for name, value in normalised.state_dict().items())
    assert dependence(Simple(nn.LayerNorm(8)), x, 1, rng()) == 0
    dropped, state = Simple(nn.Dropout(0.3)), torch.get_rng_state()
    assert dependence(dropped, x, 1, rng()) == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_only_a_sigmoid_keeps_the_scores_of_impossible_pictures_in_bounds():
    x = Batch(torch.randn(6, 1, 4, 4, generator=rng()))
    low, high = bounds(Simple(nn.ReLU(), nn.Sigmoid()), x, 1)
    assert low >= 0
    assert high <= 1
    low, high = bounds(Simple(nn.ReLU()), x, 1)
    assert high - low > 2


def test_share_above_counts_pairs():
    assert share_above(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])) == 0.75
    assert share_above(torch.ones(3), torch.ones(5)) == 0.5


class Told:
    """An observer that remembers what it was told."""

    def __init__(self):
        self.names: list[str] = []

    def started(self, run, config, resumed_at):
        pass

    def advanced(self, pace):
        pass

    def ticked(self, record, pictures):
        pass

    def found(self, finding: Finding):
        self.names.append(finding.name)

    def ended(self):
        pass


def test_a_broken_run_is_told_once_while_it_trains_and_again_offline(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (80, 1, 8, 8), dtype=np.uint8)
    pictures[:20] = 7
    told = Told()
    run = latentry.train(
        "vae", pictures, out=tmp_path, observers=[told], images="600", batch=20, ticks=6, latent=3, backbone="mlp",
        hidden=(16,), second_stage_steps=2, mixture_components=1,
    )  # fmt: skip
    assert told.names.count("broken pictures") == 1
    from latentry.training.doctor import diagnose_run

    offline = {finding.name for finding in diagnose_run(run.path)}
    assert {"broken pictures", "few pictures"} <= offline <= set(told.names)
    assert "broken pictures" in (run.path / "report.html").read_text()
    again = Told()
    longer = run.run.read_config().with_settings(images="1200")
    latentry.resume(run.path, pictures, observers=[again], config=longer)
    assert "broken pictures" not in again.names


def test_the_doctor_changes_no_weight(tmp_path, monkeypatch):
    """A critic with batch norm and dropout, whose buffers and random numbers a careless measurement would move."""
    from latentry.training.doctor import Meter

    settings: dict[str, Any] = {
        "images": "96", "batch": 16, "ticks": 3, "width": 4, "size": 16, "critic_dropout": 0.2
    }  # fmt: skip
    whole = latentry.train("dcgan", "faces:120", out=tmp_path, **settings)
    monkeypatch.setattr(Meter, "measure", lambda *_, **__: {})
    without = latentry.train("dcgan", "faces:120", out=tmp_path, **settings)
    tensors = [sorted((run.path / "checkpoints").iterdir())[-1] / "state.safetensors" for run in (whole, without)]
    assert tensors[0].read_bytes() == tensors[1].read_bytes()
    assert [r["train"] for r in whole.log] == [r["train"] for r in without.log]
