"""What turns pictures into features: names, hashes, which one is taken, and what is refused."""

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from latentry.data import open_images
from latentry.errors import InputError
from latentry.metrics.extractors import (
    Extractor,
    cached_features,
    choose,
    export_statistics,
    import_statistics,
    offline,
    open_extractor,
)
from latentry.metrics.extractors.dinov2 import dinov2
from latentry.metrics.extractors.extractor import as_three_channels, weights_hash
from latentry.metrics.extractors.inception import inception
from latentry.metrics.frechet import frechet_distance
from latentry.metrics.gaussian import GaussianStatistics
from latentry.metrics.kernel import kernel_distance


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (60, 3, 12, 12), dtype=np.uint8)


@pytest.fixture
def images(pictures):
    return open_images(pictures)


def rows(images):
    return np.arange(len(images))


def brightness(name="random", weights="a"):
    """An extractor whose features are known: the mean of each channel."""
    return Extractor(name, weights, "none", 3, lambda x: torch.from_numpy(x).float().mean(dim=(2, 3)), chunk=7)


def test_features_are_of_every_picture_in_order_whatever_the_chunk(pictures):
    done: list[int] = []
    found = brightness().features(pictures, done.append)
    np.testing.assert_allclose(found, pictures.mean(axis=(2, 3)), rtol=1e-5)
    assert done[-1] == 60


def test_only_inception_is_called_fid():
    assert brightness("inception").called("Frechet distance", "FID") == "FID"
    assert brightness("random").called("Frechet distance", "FID") == "Frechet distance (random features)"
    assert brightness("dinov2").called("Kernel distance", "KID") == "Kernel distance (DINOv2 features)"


def test_random_features_depend_on_nothing_but_the_channels(images):
    first, why = open_extractor("random", images, rows(images))
    again, _ = open_extractor("random", images, rows(images))
    assert why == "asked for"
    assert first.weights == again.weights
    assert first.weights != offline.random_convolutions(1).weights
    np.testing.assert_array_equal(first.features(images.images), again.features(images.images))


def test_a_hash_is_of_names_and_values():
    a, b = torch.zeros(2), torch.tensor([0.0, 1e-7])
    assert weights_hash({"w": a, "v": b}) == weights_hash({"v": b, "w": a})
    assert weights_hash({"w": a}) != weights_hash({"w": b})
    assert weights_hash({"w": a}) != weights_hash({"v": a})


def test_features_that_are_not_finite_are_refused(pictures):
    broken = Extractor("random", "", "none", 1, lambda x: torch.full((len(x), 1), torch.nan))
    with pytest.raises(InputError, match="not finite; its weights are damaged"):
        broken.features(pictures)


def test_auto_takes_the_best_at_hand_and_says_what_the_others_lack(images, monkeypatch):
    def absent(*_, **__):
        raise InputError("extractor=dinov2 needs transformers, which fails here (No module)")

    monkeypatch.setattr(choose, "cached_weights", lambda: None)
    monkeypatch.setattr(choose, "dinov2", absent)
    taken, why = open_extractor("auto", images, rows(images))
    assert taken.name == "random"
    assert why == (
        "it needs nothing; Inception's weights are not here (--extractor inception downloads them); "
        "transformers does not import; the data have no labels that vary for a probe"
    )
    monkeypatch.setattr(offline, "PROBE_SHOWN", 64)
    digits = open_images("digits:100")
    taken, why = open_extractor("auto", digits, rows(digits))
    assert taken.name == "probe"
    assert why.startswith("the data have labels to train it on; ")
    monkeypatch.setattr(choose, "dinov2", lambda **_: brightness("dinov2"))
    assert open_extractor("auto", digits, rows(digits))[0].name == "dinov2"
    monkeypatch.setattr(choose, "cached_weights", lambda: "there")
    monkeypatch.setattr(choose, "inception", lambda **_: brightness("inception"))
    assert open_extractor("auto", digits, rows(digits))[0].name == "inception"


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("incepton", None, "did you mean inception"),
        ("random", "w.pth", "weights .w.pth. belong to an extractor"),
        ("probe", None, "learns labels, and .* has none"),
    ],
)
def test_what_cannot_be_taken_is_refused(images, name, weights, message):
    with pytest.raises(InputError, match=message):
        open_extractor(name, images, rows(images), weights)


def test_points_are_measured_by_their_coordinates():
    ring = open_images("ring:50")
    taken, _ = open_extractor("auto", ring, rows(ring))
    np.testing.assert_array_equal(taken.features(ring.images), ring.images.reshape(50, 2))
    with pytest.raises(InputError, match="points of the plane"):
        open_extractor("probe", ring, rows(ring))


def test_grey_becomes_three_channels_and_transparency_white():
    grey = np.array([[[[7]]]], np.uint8)
    np.testing.assert_array_equal(as_three_channels(grey).ravel(), [7, 7, 7])
    half = np.array([100, 0, 200, 0], np.uint8).reshape(1, 4, 1, 1)
    np.testing.assert_array_equal(as_three_channels(half).ravel(), [255, 255, 255])


def test_reference_features_are_computed_once(images, pictures):
    seen: list[int] = []
    extractor = brightness()

    def counting(x):
        seen.append(len(x))
        return extractor.compute(x)

    counted = Extractor("random", "a", "none", 3, counting)
    first = cached_features(counted, images, np.array([5, 3]))
    np.testing.assert_array_equal(cached_features(counted, images, np.array([5, 3])), first)
    assert sum(seen) == 2
    np.testing.assert_allclose(first, pictures[[5, 3]].mean(axis=(2, 3)), rtol=1e-5)
    cached_features(counted, images, np.array([3, 5]))  # other rows
    cached_features(Extractor("random", "b", "none", 3, counted.compute), images, np.array([5, 3]))  # other weights
    assert sum(seen) == 6


def test_statistics_come_back_and_pytorch_fid_can_read_them(tmp_path):
    features, extractor = np.random.default_rng(1).normal(size=(50, 3)), brightness()
    export_statistics(tmp_path / "s.npz", features, extractor, "print")
    with np.load(tmp_path / "s.npz", allow_pickle=False) as stored:
        np.testing.assert_allclose(stored["mu"], features.mean(axis=0))
        np.testing.assert_allclose(stored["sigma"], np.cov(features, rowvar=False))
    statistics, data = import_statistics(tmp_path / "s.npz", extractor)
    assert (statistics.n, data) == (50, "print")
    np.savez(tmp_path / "theirs.npz", mu=features.mean(axis=0), sigma=np.cov(features, rowvar=False))
    assert import_statistics(tmp_path / "theirs.npz", extractor)[0].n is None


@pytest.mark.parametrize("other", [brightness("probe"), brightness("random", "b")])
def test_statistics_of_another_extractor_are_refused(tmp_path, other):
    export_statistics(tmp_path / "s.npz", np.eye(3), brightness(), "print")
    with pytest.raises(InputError, match="a distance between two extractors means nothing"):
        import_statistics(tmp_path / "s.npz", other)


def test_statistics_of_another_dimension_are_refused(tmp_path):
    np.savez(tmp_path / "s.npz", mu=np.zeros(2048), sigma=np.eye(2048))
    with pytest.raises(InputError, match="2048 dimensions and generated ones 3"):
        import_statistics(tmp_path / "s.npz", brightness())
    with pytest.raises(InputError, match=r"end the name in \.npz"):
        export_statistics(tmp_path / "s.json", np.eye(3), brightness(), "")


class Hostile:
    """Would make a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (self.path.mkdir, ())


def test_damaged_weights_are_refused_and_never_unpickled(tmp_path, monkeypatch):
    module = importlib.import_module("latentry.metrics.extractors.inception")
    fake = SimpleNamespace(URL_INCEPTION_V3="https://example.org/w.pth")
    monkeypatch.setattr(module, "_module", lambda: fake)
    (tmp_path / "noise.pth").write_bytes(b"not weights")
    torch.save({"w": Hostile(tmp_path / "harm")}, tmp_path / "hostile.pth")
    torch.save({"w": torch.zeros(1)}, tmp_path / "others.pth")
    for name, message in (("noise", "damaged"), ("hostile", "damaged"), ("others", "no Inception-v3"), ("no", "read")):
        with pytest.raises(InputError, match=message):
            module.inception(tmp_path / f"{name}.pth")
    assert not (tmp_path / "harm").exists()


def test_without_torch_fidelity_one_line_says_what_to_install(monkeypatch):
    module = importlib.import_module("latentry.metrics.extractors.inception")
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(InputError, match=r"needs torch-fidelity.*pip install 'latentry\[metrics\]'"):
        module.inception()


class Items(Dataset[torch.Tensor]):
    """Pictures as torch-fidelity takes them."""

    def __init__(self, images):
        self.images = torch.from_numpy(images)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        return self.images[row]


@pytest.fixture(scope="module")
def fidelity(tmp_path_factory):
    """Torch-fidelity's Inception with weights of chance that keep the variance from layer to layer, and their file."""
    try:
        theirs = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torch-fidelity does not import: {error}")
    path = tmp_path_factory.mktemp("inception") / "w.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_, **__: None)
        network = theirs.FeatureExtractorInceptionV3("x", ["2048"])
    torch.manual_seed(0)
    for weight in network.parameters():
        if weight.ndim == 4:
            torch.nn.init.kaiming_normal_(weight)
    torch.save(network.state_dict(), path)
    return network, path


def test_inception_with_weights_of_chance(fidelity, pictures):
    """Real code, no real weights: 2,048 features that are torch-fidelity's own of the same pictures."""
    network, path = fidelity
    extractor = inception(path)
    found = extractor.features(pictures[:3])
    expected = network(torch.from_numpy(pictures[:3]))[0]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    probabilities = extractor.probabilities(pictures[:3])
    assert probabilities is not None
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert extractor.weights == weights_hash(network.state_dict())


def test_distances_are_torch_fidelitys_from_pictures_to_number(fidelity, pictures):
    """FID and KID of the same pictures through the same weights, by its command and by ours."""
    _, path = fidelity
    real, fake = pictures[:20], pictures[20:40] // 2
    told = {"feature_extractor_weights_path": str(path), "kid_subsets": 1, "kid_subset_size": 20}
    quietly = {"cuda": False, "cache": False, "verbose": False, "save_cpu_ram": True}
    sets = {"input1": Items(real), "input2": Items(fake)}
    theirs = importlib.import_module("torch_fidelity").calculate_metrics(**sets, fid=True, kid=True, **told, **quietly)
    features = [inception(path).features(images) for images in (real, fake)]
    frechet = frechet_distance(*map(GaussianStatistics.of, features))
    assert frechet == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert kernel_distance(*features).value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)


def test_dinov2_with_weights_of_chance(tmp_path, pictures):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=224)
    transformers.Dinov2Model(config).save_pretrained(tmp_path / "w")
    extractor = dinov2(tmp_path / "w")
    assert extractor.features(pictures[:2]).shape == (2, 32)
    assert extractor.dimension == 32
    with pytest.raises(InputError, match="cannot load DINOv2"):
        dinov2(tmp_path)
