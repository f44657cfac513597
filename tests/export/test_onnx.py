"""Exported graphs are the model: every family, backbone, upsampling and sampler, at any batch size."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from latentry.api.export import export_onnx
from latentry.cli import run
from latentry.errors import InputError
from latentry.export import OnnxModel
from latentry.export.graphs import decoder_graph, encoder_graph, sampler_graph, to_onnx
from latentry.export.manifest import pack_array, unpack_array
from latentry.export.parity import ParityError, compare_graph
from latentry.export.precision import quantise, store_weights
from latentry.models.wish import Wish
from latentry.settings.specs import ConditionSpec, ImageSpec
from tests.export.models import ATTRIBUTES, CLASSES, NUMBERS, random_model

pytest.importorskip("onnxscript")

NETWORKS: dict[str, tuple[str, ConditionSpec | None, dict[str, Any]]] = {
    "mlp": ("vae", None, {"backbone": "mlp", "hidden": (16,)}),
    "maxout": ("gan", None, {"backbone": "mlp", "hidden": (16,), "activation": "maxout"}),
    "transposed, batch norm": ("dcgan", None, {"norm": "batch"}),
    "nearest, group norm": ("vae", None, {"upsampling": "nearest", "norm": "group"}),
    "bilinear": ("vae", None, {"upsampling": "bilinear"}),
    "pixel-shuffle": ("vae", None, {"upsampling": "pixel-shuffle"}),
    "residual": ("autoencoder", None, {"backbone": "residual", "upsampling": "nearest"}),
    "r3gan": ("r3gan", None, {"group_width": 4}),
    "told by concatenation": ("cgan", CLASSES, {}),
    "told in the norms": ("acgan", CLASSES, {"condition_by": "norm", "norm": "batch"}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_decoder_is_the_models(name, tmp_path):
    recipe, condition, settings = NETWORKS[name]
    model = random_model(tmp_path, recipe, condition, **settings)
    if model.network.own_prior is None:
        model = random_model(tmp_path / "fitted", recipe, condition, fitted=True, **settings)
    graph = decoder_graph(model)
    assert np.ptp(model.decode(np.eye(3, dtype=np.float32), model.conditions(range(3)))) > 20  # not one grey
    records = compare_graph(model, "decoder", graph, to_onnx(graph))
    assert [record["batch"] for record in records] == [1, 3, 64]
    assert max(record["difference"] for record in records) < 2e-5


@pytest.mark.parametrize(
    "settings", [{"downsampling": "average"}, {"downsampling": "bilinear"}, {"downsampling": "pixel-unshuffle"}]
)
def test_the_encoder_is_the_models(settings, tmp_path):
    model = random_model(tmp_path, "vae", **settings)
    graph = encoder_graph(model)
    assert graph is not None
    assert all(record["difference"] < 1e-4 for record in compare_graph(model, "encoder", graph, to_onnx(graph)))


@pytest.mark.parametrize(("recipe", "condition"), [("vae", None), ("cvae", NUMBERS), ("vampprior", None)])
def test_samplers_are_the_models(recipe, condition, tmp_path):
    """The mixture, alone and under a condition; the second stage; a prior that is the encoder's."""
    model = random_model(tmp_path, recipe, condition, fitted=recipe != "vampprior")
    for name in model.samplers:
        graph = sampler_graph(model, name)
        if name == "prior" and recipe != "vampprior":
            assert graph is None  # the normal numbers are the latent
            continue
        assert graph is not None
        for record in compare_graph(model, f"sampler-{name}", graph, to_onnx(graph)):
            assert record["difference"] < 1e-5, record


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A conditional VAE with fitted samplers and a vector, and its export."""
    home = tmp_path_factory.mktemp("conditional")
    model = random_model(home, "cvae", ATTRIBUTES, fitted=True)
    return model, export_onnx(model, home / "onnx").load()


def test_the_same_seeds_and_wishes_give_the_same_pictures(conditional):
    """To within one grey level, whichever sampler, truncation, wish or batch."""
    model, exported = conditional
    assert exported.samplers == ["prior", "mixture", "two-stage"]
    for asked in (
        {},
        {"seeds": [7, 3, 2**40], "attributes": {"hat": 1}},
        {"sampler": "prior"},
        {"sampler": "two-stage", "truncation": 0.5},
        {"truncation": 0.3},
    ):
        ours, theirs = (m.sample(5, **asked).astype(int) for m in (model, exported))
        assert np.abs(ours - theirs).max() <= 1, asked
    assert np.array_equal(exported.conditions(range(9)), model.conditions(range(9)))
    assert exported.sample(0).shape == (0, 3, 8, 8)
    among = exported.sample(40).astype(int)
    assert np.abs(exported.sample(seeds=[33])[0] - among[33]).max() <= 1


def test_encoding_and_editing_are_the_models(conditional):
    model, exported = conditional
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), np.uint8)
    told = model.conditions(range(3), Wish(attributes={"hat": 0, "smiling": 1}))
    np.testing.assert_allclose(exported.encode(images, told), model.encode(images, told), atol=1e-4)
    for doses, method in (({"smiling": 1.5}, None), ({"smiling": -1}, "condition")):
        ours, theirs = (m.edit(images, doses, method=method, conditions=told).astype(int) for m in (model, exported))
        assert np.abs(ours - theirs).max() <= 1
        assert np.abs(ours - model.reconstruct(images, told)).max() > 5  # the edit does something
    assert exported.vectors.find("smiling").farthest == 2.0
    assert exported.vectors.find("smiling").direction.tolist() == [0.5, -1.0, 0.25]


def test_what_it_does_not_know_is_refused(conditional, tmp_path):
    _, exported = conditional
    with pytest.raises(InputError, match="did you mean hat"):
        exported.sample(1, attributes={"hatt": 1})
    with pytest.raises(InputError, match="did you mean mixture"):
        exported.sample(1, sampler="mixtur")
    with pytest.raises(InputError, match="did you mean smiling"):
        exported.edit_latents(np.zeros((1, 3), np.float32), {"smilling": 1}, conditions=exported.conditions([0]))
    with pytest.raises(InputError, match="expected"):
        exported.decode(np.zeros((1, 3), np.float32))
    with pytest.raises(InputError, match="is not an exported model"):
        OnnxModel(tmp_path)


def test_a_codebook_with_its_prior(tmp_path):
    """Tokens are drawn one after another, at any temperature; codes of pictures are the encoder's."""
    model = random_model(tmp_path, "vq-vae", CLASSES, codes=8, prior_width=8, prior_blocks=1, prior_heads=2)
    exported = export_onnx(model, tmp_path / "onnx").load()
    for truncation in (1.0, 0.5, 0.0):
        told = model.conditions(range(6))
        assert told is not None
        ours, theirs = (m.latents(range(6), truncation=truncation, conditions=told) for m in (model, exported))
        assert np.array_equal(ours, theirs)
    assert len(np.unique(model.latents(range(6), conditions=told).reshape(6, -1), axis=0)) == 6
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), np.uint8)
    told = model.conditions(range(3))
    assert np.array_equal(exported.encode(images, told), model.encode(images, told))


def test_points_of_a_toy_world(tmp_path):
    model = random_model(
        tmp_path, "gan", image=ImageSpec(2, 1, 1, points=True), backbone="mlp", hidden=(8,), output="linear"
    )
    exported = export_onnx(model, tmp_path / "onnx").load()
    np.testing.assert_allclose(exported.sample(9), model.sample(9), atol=1e-4)
    with pytest.raises(InputError, match="no encoder"):
        exported.encode(np.zeros((1, 2, 1, 1), np.float32))


def test_it_runs_where_there_is_only_numpy_and_onnxruntime(conditional):
    """In a process in which importing anything else fails, torch and pillow above all."""
    model, exported = conditional
    code = f"""
import importlib.abc, sys
class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {{"torch", "PIL", "safetensors", "sklearn", "onnx", "matplotlib", "tyro", "rich"}}:
            raise ImportError(f"{{name}} is not here")
sys.meta_path.insert(0, Wall())
import latentry
from latentry.export import OnnxModel
model = latentry.load({str(exported.path)!r})
assert type(model) is OnnxModel
z = model.latents([4], conditions=model.conditions([4]))
model.edit(model.sample(2, attributes={{"hat": 1}}), {{"smiling": 1}}, conditions=model.conditions([0, 1]))
print(model.decode(z, model.conditions([4])).tolist(), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pixels, torch = done.stdout.rsplit(maxsplit=1)
    assert torch == "False"
    assert np.abs(np.array(json.loads(pixels)) - model.sample(seeds=[4])).max() <= 1


def test_a_folder_says_all_of_itself_and_damage_is_noticed(conditional, tmp_path):
    _, exported = conditional
    manifest = json.loads((exported.path / "manifest.json").read_text())
    assert manifest["image"] == {"channels": 3, "height": 8, "width": 8, "points": False}
    assert manifest["condition"]["names"] == ["hat", "smiling"]
    assert manifest["vectors"][0]["farthest"] == 2.0
    assert manifest["graphs"]["decoder"]["inputs"] == {"z": ["n", 3], "condition": ["n", 2]}
    assert "Apache-2.0" in manifest["licence"]
    parity = json.loads((exported.path / "parity.json").read_text())
    assert {record["batch"] for record in parity["graphs"]} == {1, 3, 64}
    assert parity["pictures"]["difference"] <= 1
    assert "| decoder | 64 |" in (exported.path / "parity.md").read_text()
    for file in exported.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "decoder.onnx").write_bytes(b"x")
    with pytest.raises(InputError, match="damaged"):
        OnnxModel(tmp_path)


def test_nothing_is_written_where_the_export_differs(tmp_path, monkeypatch, capsys):
    model = random_model(tmp_path, "gan", backbone="mlp", hidden=(8,))
    monkeypatch.setattr("latentry.api.export.to_onnx", lambda graph: _shifted(to_onnx(graph)))
    with pytest.raises(ParityError, match="nothing was written"):
        export_onnx(model, tmp_path / "onnx")
    assert run(["export", str(tmp_path), "-o", str(tmp_path / "onnx")]) == 1
    assert "differs from PyTorch" in capsys.readouterr().err
    assert not (tmp_path / "onnx").exists()


def _shifted(content: bytes) -> bytes:
    """The same file with one bias of the last layer off by 0.1."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(content)
    bias = [i for i in model.graph.initializer if list(i.dims) == [192]][-1]
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(0.1), bias.name))
    return model.SerializeToString()


def test_what_is_no_export_is_left_alone(tmp_path):
    model = random_model(tmp_path, "gan", backbone="mlp", hidden=(8,))
    with pytest.raises(InputError, match="no earlier export"):
        export_onnx(model, tmp_path / "model")
    with pytest.raises(InputError, match="did you mean float16"):
        export_onnx(model, tmp_path / "onnx", precision="flot16")  # type: ignore[arg-type]
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_what_is_not_installed_is_named_before_anything_is_done(tmp_path, monkeypatch):
    model = random_model(tmp_path, "gan", backbone="mlp", hidden=(8,))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else True)
    with pytest.raises(InputError, match=r"needs onnxscript.*latentry\[export\]"):
        export_onnx(model, tmp_path / "onnx")


def test_fewer_bits_make_smaller_files_at_a_stated_cost(tmp_path):
    model = random_model(tmp_path, "gan", backbone="mlp", hidden=(256, 256))
    half = export_onnx(model, tmp_path / "half", precision="float16").parity["precision"]
    byte = export_onnx(model, tmp_path / "byte", precision="int8").parity["precision"]
    assert half["share_of_size"] == pytest.approx(0.5, abs=0.05)
    assert byte["share_of_size"] == pytest.approx(0.25, abs=0.05)
    assert 0 < half["largest_grey_levels"] < 0.5
    assert half["largest_grey_levels"] < byte["largest_grey_levels"] < 8
    assert half["psnr_db"] > byte["psnr_db"] + 15 > 50
    assert (tmp_path / "byte" / "decoder.onnx").stat().st_size < 0.3 * 4 * 120_000


def test_a_weight_is_rounded_channel_by_channel():
    """Each row has its own scale: 127 steps to its largest weight, so weights of a channel keep two digits."""
    weight = np.random.default_rng(0).standard_normal((6, 40)).astype(np.float32)
    weight *= np.float32(10) ** np.arange(6)[:, None]
    rounded, scale = quantise(weight, 0)
    assert scale == pytest.approx(np.abs(weight).max(axis=1) / 127)
    assert np.abs(rounded * scale[:, None] - weight).max(axis=1) == pytest.approx(scale / 2, rel=0.2)
    assert np.array_equal(quantise(weight.T, 1)[0], rounded.T)
    assert store_weights(b"as it is", "float32") == b"as it is"


def test_arrays_travel_exactly():
    array = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    assert np.array_equal(unpack_array(json.loads(json.dumps(pack_array(array)))), array)
    with pytest.raises(InputError, match="damaged"):
        unpack_array({"shape": [2, 2], "float32": pack_array(array)["float32"]})
