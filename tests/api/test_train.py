"""The Python side as its users call it: arrays, data sets, networks of their own, load and sample."""

import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import latentry
import latentry.training.run as run_module
from latentry.errors import InputError
from latentry.models.build import build_model
from latentry.models.critic import Judgement
from latentry.models.own import OwnNetworks
from latentry.models.vae import VAEMethod
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ConditionSpec, ImageSpec
from latentry.training.checkpoint import list_checkpoints, read_state
from latentry.training.loop import Loop
from latentry.training.run import Run, open_run

SMALL: dict[str, Any] = {
    "images": "400",
    "batch": 20,
    "ticks": 2,
    "second_stage_steps": 3,
    "mixture_components": 2,
    "latent": 3,
}


@pytest.fixture(scope="module")
def pictures():
    """Bright squares somewhere on dark ground."""
    rng = np.random.default_rng(0)
    pictures = np.full((120, 1, 12, 12), 20, np.uint8)
    for picture, (y, x) in zip(pictures, rng.integers(0, 8, (120, 2)), strict=True):
        picture[:, y : y + 4, x : x + 4] = 230
    return pictures


@pytest.fixture(scope="module", params=["vae", "autoencoder"])
def run(request, pictures, tmp_path_factory):
    return latentry.train(request.param, pictures, out=tmp_path_factory.mktemp("runs"), **SMALL)


def test_a_run_leaves_what_the_readme_says(run):
    names = {path.name for path in run.path.iterdir()}
    assert names >= {
        "config.json", "environment.json", "data.json", "log.jsonl", "samples", "checkpoints", "model", "samples.png",
        "report.html",
    }  # fmt: skip
    assert sorted(p.name for p in (run.path / "model").iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert [record["images"] for record in run.log] == [200, 400]
    assert not [path for path in run.path.rglob("*") if path.suffix in (".pt", ".pth", ".pkl", ".bin")]


def test_every_vae_log_has_its_terms(pictures, tmp_path):
    record = latentry.train("vae", pictures, out=tmp_path, **SMALL).log[-1]
    for part in (record["train"], record["held_out"]):
        assert part["loss"] == pytest.approx(part["reconstruction"] + part["kl"], rel=1e-4)
        assert sum(part["kl_per_dimension"]) == pytest.approx(part["kl"], rel=1e-4)
        assert len(part["kl_per_dimension"]) == 3
    assert 0 <= record["held_out"]["active_units"] <= 3


def test_the_same_seed_is_the_same_picture_whatever_the_batch(run):
    model = run.load()
    many = model.sample(50)
    assert many.dtype == np.uint8
    assert many.shape == (50, 1, 12, 12)
    for seed in (0, 31, 32, 49):
        assert np.array_equal(model.sample(seeds=[seed])[0], many[seed])
    assert np.array_equal(model.sample(seeds=[49, 3, 3]), many[[49, 3, 3]])
    assert not np.array_equal(many[0], many[1])
    assert model.sample(0).shape == (0, 1, 12, 12)


def test_encoding_does_not_depend_on_neighbours_and_is_deterministic(run, pictures):
    model = run.load()
    z = model.encode(pictures)
    assert z.shape == (120, 3)
    assert np.array_equal(model.encode(pictures[77:78])[0], z[77])
    assert np.array_equal(model.reconstruct(pictures[:5]), model.decode(z[:5]))


def test_truncation_draws_latents_to_their_mean(run):
    model = run.load()
    spread = [model.latents(range(200), truncation=t).std(axis=0).mean() for t in (0.0, 0.5, 1.0)]
    assert spread[0] == pytest.approx(0, abs=1e-4)
    assert spread[1] == pytest.approx(spread[2] / 2, rel=1e-4)


def test_pictures_that_do_not_fit_the_model_are_refused(run, pictures):
    model = run.load()
    with pytest.raises(latentry.InputError, match="uint8"):
        model.encode(pictures.astype(np.float32))
    with pytest.raises(latentry.InputError, match="12, 12"):
        model.encode(pictures[:, :, :8])
    with pytest.raises(latentry.InputError, match="decodes"):
        model.decode(np.zeros((2, 7), np.float32))


def test_the_model_folder_alone_is_enough(run, tmp_path):
    import shutil

    moved = shutil.copytree(run.path / "model", tmp_path / "elsewhere")
    assert np.array_equal(latentry.load(moved).sample(4), run.load().sample(4))
    record = json.loads((moved / "config.json").read_text())
    assert record["image"] == {"channels": 1, "height": 12, "width": 12, "points": False}
    assert record["range"] == [-1, 1]


def test_a_run_without_an_end_gives_its_newest_checkpoint(pictures, tmp_path):
    import shutil

    run = latentry.train("vae", pictures, out=tmp_path, **SMALL)
    shutil.rmtree(run.path / "model")
    assert latentry.load(run.path).sample(2).shape == (2, 1, 12, 12)


class Pairs(torch.utils.data.Dataset):
    """A data set of the user's own: (picture in [0, 1], label) pairs."""

    def __init__(self, pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return torch.from_numpy(self.pictures[index]).float() / 255, int(index % 3)


def test_a_users_own_data_set_and_networks(pictures, tmp_path):
    linear = nn.Linear(144, 6)
    encoder = nn.Sequential(nn.Flatten(), linear)
    decoder = nn.Sequential(nn.Linear(3, 144), nn.Unflatten(1, (1, 12, 12)))
    before = linear.weight.detach().clone()
    own: dict[str, Any] = {"encoder": encoder, "decoder": decoder}
    run = latentry.train("vae", Pairs(pictures), out=tmp_path, **own, **SMALL)
    assert not torch.equal(linear.weight, before)
    fresh: dict[str, Any] = {"encoder": nn.Sequential(nn.Flatten(), nn.Linear(144, 6)), "decoder": decoder}
    assert latentry.load(run.path, **fresh).sample(2).shape == (2, 1, 12, 12)
    with pytest.raises(latentry.InputError, match="own encoder"):
        latentry.load(run.path)
    array = latentry.train("vae", pictures, out=tmp_path, **SMALL)
    assert latentry.open_images(Pairs(pictures)).images.tobytes() == pictures.tobytes()
    assert array.log[-1]["images"] == run.log[-1]["images"]


def test_a_run_that_goes_on_for_longer_has_not_ended_until_it_has(pictures, tmp_path, monkeypatch):
    """Stopped on the way, it is continued to the new end without being told of it again."""
    run = latentry.train("vae", pictures, out=tmp_path, **{**SMALL, "images": "100"}).run
    assert open_run(run.path).ended
    longer = run.read_config().with_settings(images="400")
    appended = Run.append_log

    def stop_behind(self: Run, record: dict[str, Any]) -> None:
        appended(self, record)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Run, "append_log", stop_behind)
    assert not latentry.resume(run.path, pictures, config=longer).finished
    monkeypatch.undo()
    assert not open_run(run.path).ended
    result = latentry.resume(run.path, pictures)
    assert result.finished and open_run(run.path).ended and result.log[-1]["images"] == 400
    shorter = run.read_config().with_settings(images="200")
    assert latentry.resume(run.path, pictures, config=shorter).finished
    assert open_run(run.path).ended and run.read_config() == longer  # nothing was trained, and nothing is forgotten


def test_weights_that_are_not_finite_are_never_saved(pictures, tmp_path, monkeypatch):
    """The loss still is, at the step before: it is of the weights before."""
    step = Loop._step

    def spoil(self: Loop, progress: float) -> None:
        step(self, progress)
        if self.at.images == 400:
            next(self.method.module.parameters()).data[0] = torch.nan

    monkeypatch.setattr(Loop, "_step", spoil)
    with pytest.raises(InputError, match=r"non-finite by image 400: first non-finite weights: .*000200; try"):
        latentry.train("vae", pictures, out=tmp_path, **SMALL)
    [run] = tmp_path.iterdir()
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["000000000200"]


def test_every_checkpoint_is_written_and_scored(pictures, tmp_path, monkeypatch):
    """Where a step is longer than a tick, and where time alone would have asked for one at every step."""
    settings = {**SMALL, "images": "140", "keep": 20}  # seven steps
    run = latentry.train("vae", pictures, out=tmp_path, **{**settings, "ticks": 20, "checkpoints": 5}).run
    assert len(list_checkpoints(run.checkpoints)) == 5
    monkeypatch.setattr("latentry.training.loop._SAFETY_SECONDS", -1.0)
    hasty = latentry.train("vae", pictures, out=tmp_path, **{**settings, "ticks": 7, "checkpoints": 7}).run
    scores = [read_state(path)["score"] for path in list_checkpoints(hasty.checkpoints)]
    assert len(scores) == 7 and None not in scores


class Own(nn.Module):
    """One linear layer from what is flattened, and the condition beside it, to a shape."""

    def __init__(self, n: int, *shape: int) -> None:
        super().__init__()
        self.layer, self.shape = nn.Linear(n, int(np.prod(shape))), shape

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        beside = [] if condition is None else [condition]
        return self.layer(torch.cat([x.flatten(1), *beside], dim=1)).reshape(-1, *self.shape)


class OwnCritic(Own):
    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> Any:
        return Judgement(super().forward(x, condition), None)


@pytest.mark.parametrize(
    ("recipe", "networks", "words"),
    [
        ("vae", {"encoder": Own(144, 3)}, r"your encoder makes \[2, 3\] where \[2, 6\] is needed"),
        ("vae", {"encoder": Own(100, 6)}, r"your encoder fails when it is given \[2, 1, 12, 12\]: mat1 and mat2"),
        ("vae", {"decoder": Own(3, 1, 9, 9)}, r"your decoder makes \[2, 1, 9, 9\] where \[2, 1, 12, 12\] is needed"),
        ("vq-vae", {"encoder": Own(144, 3)}, r"your encoder makes \[1, 3\] of one picture; a vq-vae needs \[1, latent"),
        ("vae", {"critic": OwnCritic(144)}, "vae has no critic"),
        ("gan", {"encoder": Own(144, 3)}, "gan has no encoder"),
        ("gan", {"critic": Own(144)}, "your critic gives a Tensor; it must give a latentry.models.critic.Judgement"),
        ("gan", {"critic": OwnCritic(144, 1)}, r"your critic's score is \[2, 1\] where \[2\] is needed"),
        ("pacgan", {"critic": OwnCritic(144)}, r"your critic fails when it is given \[2, 2, 12, 12\] and None: mat1"),
    ],
)
def test_networks_that_do_not_fit_are_refused_before_there_is_a_run(recipe, networks, words, pictures, tmp_path):
    rng_state = torch.get_rng_state()
    with pytest.raises(InputError, match=words):
        latentry.train(recipe, pictures, out=tmp_path, size=None, latent=3, images="200", **networks)
    assert not list(tmp_path.iterdir())
    assert all(network.training for network in networks.values())
    assert torch.equal(torch.get_rng_state(), rng_state)


def test_a_conditional_models_own_networks_are_tried_with_a_condition(tmp_path):
    decoder, critic = Own(3 + 10, 1, 8, 8), OwnCritic(64 + 10)
    settings: dict[str, Any] = {"size": "8", "latent": 3, "batch": 20, "images": "100", "augment": "none", "ticks": 1}
    run = latentry.train("cgan", "digits:120", out=tmp_path, flip="no", decoder=decoder, critic=critic, **settings)
    assert latentry.load(run.path, decoder=decoder).sample(2, class_name="7").shape == (2, 1, 8, 8)


def test_the_networks_of_a_told_vq_vae_are_tried_without_a_condition_and_left_as_they_were(tmp_path):
    encoder = nn.Sequential(nn.Conv2d(1, 4, 4, stride=4), nn.BatchNorm2d(4).eval())
    decoder = nn.ConvTranspose2d(4, 1, 4, stride=4)
    config = find_recipe("vq-vae").config.with_settings(latent=4, condition="class")
    build_model(config, ImageSpec(1, 8, 8), ConditionSpec("class", ("a", "b")), OwnNetworks(encoder, decoder))
    assert [part.training for part in encoder.modules()] == [True, True, False]


def test_a_run_stopped_between_ticks_logs_what_one_that_was_not_does(pictures, tmp_path, monkeypatch):
    settings: dict[str, Any] = {**SMALL, "images": "800", "batch": 16, "ticks": 5}
    whole = latentry.train("vae", pictures, out=tmp_path / "whole", **settings).log
    step = Loop._step

    def stopping(loop, progress):
        step(loop, progress)
        if loop.at.step == 13:  # a tick is every tenth
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Loop, "_step", stopping)
    stopped = latentry.train("vae", pictures, out=tmp_path / "stopped", **settings)
    assert not stopped.finished
    monkeypatch.undo()
    again = latentry.resume(stopped.path, pictures).log
    assert [record["train"] for record in again] == [record["train"] for record in whole]
    assert [record["held_out"] for record in again] == [record["held_out"] for record in whole]


def test_held_out_pictures_are_scored_in_parts_of_one_size(tmp_path, monkeypatch):
    """Total correlation is weighed by how many pictures are compared."""
    sizes, score = [], VAEMethod.score

    def watched(method, model, batch, rng):
        sizes.append(len(batch.x))
        return score(method, model, batch, rng)

    monkeypatch.setattr(VAEMethod, "score", watched)
    pictures = np.random.default_rng(0).integers(0, 256, (1000, 1, 8, 8), np.uint8)
    settings: dict[str, Any] = {"width": 4, "latent": 2, "batch": 32, "images": "20k", "ticks": 9, "holdout": 0.35}
    latentry.train("beta-tcvae", pictures, out=tmp_path, second_stage_steps=0, mixture_components=1, **settings)
    assert set(sizes) == {100} and len(sizes) >= 9


def test_a_run_finds_its_pictures_from_every_folder_and_where_they_have_moved(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("pictures.npy", pictures)
    run = latentry.train("vae", "pictures.npy", out="runs", **{**SMALL, "images": "100"}).run
    path = run.path.resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = open_run(path).read_config
    assert config().data.data == str(tmp_path / "pictures.npy")
    assert latentry.resume(path, config=config().with_settings(images="200")).log[-1]["images"] == 200
    (tmp_path / "pictures.npy").rename("moved.npy")
    with pytest.raises(InputError, match="name the new place with --data"):
        latentry.resume(path)
    longer = config().with_settings(images="300")
    assert latentry.resume(path, "moved.npy", config=longer).log[-1]["images"] == 300
    assert config() == longer.with_settings(data=str(tmp_path / "elsewhere" / "moved.npy"))  # and is known from now on
    np.save("moved.npy", pictures[::-1])
    with pytest.raises(InputError, match="the pictures are not those"):
        latentry.resume(path)


def test_pictures_given_in_python_are_not_taken_for_the_default(pictures, tmp_path):
    run = latentry.train("vae", pictures, out=tmp_path, **SMALL)
    with pytest.raises(latentry.InputError, match="given in Python"):
        latentry.resume(run.path)
    assert latentry.resume(run.path, pictures).finished
    with pytest.raises(latentry.InputError, match="not those of"):
        latentry.resume(run.path, pictures[:100])


def test_samplers_are_fitted_to_all_classes_of_a_sorted_set(tmp_path):
    """Dark pictures first, then bright ones: latents of the first pictures alone would give dark samples only."""
    rng = np.random.default_rng(0)
    pictures = np.concatenate([rng.integers(level, level + 20, (6000, 1, 4, 4), np.uint8) for level in (30, 200)])
    settings = {**SMALL, "images": "6k", "batch": 50, "ticks": 1, "backbone": "mlp", "hidden": (16,)}
    brightness = (
        latentry.train("autoencoder", pictures, out=tmp_path, **settings).load().sample(40).mean(axis=(1, 2, 3))
    )
    assert 5 < (brightness < 125).sum() < 35


def test_training_neither_reads_nor_sets_the_global_seed(pictures, tmp_path):
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before = torch.get_rng_state()
        results.append(latentry.train("vae", pictures, out=tmp_path, **SMALL))
        assert torch.equal(torch.get_rng_state(), before)
    weights = [(r.path / "model" / "model.safetensors").read_bytes() for r in results]
    assert weights[0] == weights[1]


def test_runs_are_never_overwritten(pictures, tmp_path):
    paths = [latentry.train("vae", pictures, out=tmp_path, **SMALL).path for _ in range(2)]
    assert [path.name[:6] for path in paths] == ["00000-", "00001-"]


def test_a_single_picture_has_no_distribution_of_latents(tmp_path):
    with pytest.raises(InputError, match="a single picture is left to train on; give two at least, or take vae"):
        latentry.train("autoencoder", np.zeros((1, 1, 12, 12), np.uint8), out=tmp_path / "runs", **SMALL)
    assert not (tmp_path / "runs").exists()


def test_latents_take_as_many_conditions_as_seeds(tmp_path):
    run = latentry.train("cvae", "digits:120", out=tmp_path, **{**SMALL, "images": "100", "size": "8", "latent": 3})
    model = run.load()
    told = model.conditions([0, 1, 2])
    for conditions in (None, told):
        with pytest.raises(InputError, match="conditions"):
            model.latents([0, 1], conditions=conditions)
    assert model.latents([0, 1, 2], conditions=told).shape == (3, 3)


def test_runs_that_begin_at_once_have_numbers_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda k: run_module._claim_number(tmp_path, f"name{k % 5}"), range(40)))
    assert len({path.name[:5] for path in made}) == 40 and all(path.is_dir() for path in made)


def test_the_first_value_that_is_not_finite_stops_the_run(pictures, tmp_path):
    with pytest.raises(latentry.InputError, match=r"non-finite.*loss.*--lr"):
        latentry.train("vae", pictures, out=tmp_path, **{**SMALL, "lr": 1e30, "images": "4k"})
    [run] = tmp_path.iterdir()
    assert not (run / "model").exists()


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [block] = re.findall(r"```python\n(.*?)```", readme, flags=re.S)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(block, names)
    assert names["pictures"].shape == (16, 1, 8, 8)
    assert names["latents"].shape[0] == 16


def small_settings(recipe: str) -> dict[str, Any]:
    """A run of seconds on few pictures, and data with the labels that the recipe needs."""
    config = latentry.RECIPES[recipe].config
    settings: dict[str, Any] = {
        "images": "96", "batch": 16, "ticks": 2, "hidden": (16, 8),
        "size": "32" if recipe.startswith("foster") else "16",
        "data": {"class": "digits:120", "attributes": "faces:120"}.get(config.condition.condition, "faces:120"),
    }  # fmt: skip
    if "sampler" in config.groups:
        settings |= {"second_stage_steps": 2, "mixture_components": 1}
    if config.family == "vqvae":
        settings |= {"codes": 16, "prior_width": 8, "prior_blocks": 1}
    if not recipe.startswith("foster"):
        settings["width"] = 4
    return settings


@pytest.mark.parametrize("recipe", latentry.RECIPES)
def test_every_recipe_trains_resumes_and_samples(recipe, tmp_path):
    run = latentry.train(recipe, out=tmp_path, **small_settings(recipe))
    values = [value for record in run.log for value in record["train"].values()]
    assert all(np.isfinite(value).all() for value in values)
    assert run.load().sample(2).dtype == np.uint8
    assert latentry.resume(run.path).finished


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("dcgan", {"augment": "adaptive", "critic_dropout": 0.2, "label_noise": 0.1}),
        ("pacgan", {}),
        ("sngan", {"flip": "yes"}),
        ("wgan", {}),
        ("cwgan-gp", {"critic_steps": 2}),
        ("cvae", {}),
        ("vae", {"dropout": 0.2}),
        ("denoising-autoencoder", {"dropout": 0.2}),
        ("vq-vae", {"condition": "class", "data": "digits:120", "revival": 0.5, "dropout": 0.1}),
    ],
)
def test_a_continued_run_is_the_uninterrupted_one(recipe, settings, tmp_path):
    """Everything that a step changes is in the checkpoint: half a run, continued, ends with the whole run's weights."""
    steady = {"schedule": "constant", "warmup": 0.0, "checkpoints": 2}
    settings = {**small_settings(recipe), **steady, **settings}
    n = 160
    whole = latentry.train(recipe, out=tmp_path, **{**settings, "images": str(2 * n)})
    half = latentry.train(recipe, out=tmp_path, **{**settings, "images": str(n)})
    config = half.run.read_config().with_settings(images=str(2 * n))
    continued = latentry.resume(half.path, config=config)
    weights = [(run.path / "model" / "model.safetensors").read_bytes() for run in (whole, continued)]
    assert weights[0] == weights[1]
    assert whole.log[-1]["train"] == continued.log[-1]["train"]
