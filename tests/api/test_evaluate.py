"""Evaluations in which something was planted: they must find it, and say it."""

import shutil
from typing import Any

import numpy as np
import pytest

import latentry
from latentry.data import open_images
from latentry.data.digits import digits
from latentry.data.faces import faces
from latentry.errors import InputError
from latentry.metrics.evaluation import Evaluation, read_evaluation

PX = 16
SMALL: dict[str, Any] = {
    "size": str(PX), "images": "1k", "batch": 50, "ticks": 1, "latent": 4, "backbone": "mlp", "hidden": (32,),
    "holdout": 0.2, "second_stage_steps": 2, "mixture_components": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def real():
    return faces(600, PX, seed=1)[0]


def evaluate(pictures: Any, data: Any = None, **options: Any) -> Evaluation:
    return latentry.evaluate(pictures, data, extractor=options.pop("extractor", "random"), **options)


def score(evaluation: Evaluation, start: str):
    return next(score for score in evaluation.scores if score.name.startswith(start))


def test_other_pictures_of_the_same_kind_reach_the_floor(real):
    found = evaluate(faces(600, PX, seed=2)[0], real)
    assert found.notes[0].startswith("small data, 600 real pictures, so 300 against 300")
    assert len(found.notes) == 1
    for each in found.scores:
        assert each.floor is not None, each.name
        if each.interval is not None:
            assert abs(each.value - each.floor) <= 2 * (each.interval[1] - each.interval[0]), each.name
    first = found.scores[0].passport
    assert first.n_real == first.n_fake == 300


def test_noise_is_far_above_the_floor(real):
    noise = np.random.default_rng(0).integers(0, 256, real.shape, dtype=np.uint8)
    found = evaluate(noise, real)
    assert score(found, "Frechet").value > 20 * score(found, "Frechet").floor
    assert score(found, "Precision").value < 0.05 < 0.5 < score(found, "Precision").floor
    assert score(found, "Coverage").value < 0.05


def test_planted_copies_are_found_and_their_share_is_right():
    """One picture in twenty is a training picture, a fifth of which play the held-out ones and are not searched."""
    real, pictures = faces(2000, PX, seed=1)[0], faces(1000, PX, seed=2)[0]
    pictures[::20] = real[::40]
    found = evaluate(pictures, real)
    copies = score(found, "Copies of training pictures (pixels)")
    assert copies.said[0] == "more than real pictures repeat each other: it copies"
    assert copies.said[1].endswith("are exact")
    assert 0.03 < copies.value < 0.06
    assert copies.floor is not None and copies.floor < 0.005
    note = next(note for note in found.notes if "pixel for pixel" in note)
    assert note.startswith("50 of 1,000 pictures are")


def test_two_dropped_digits_show_in_recall_and_coverage():
    pixels, labels = digits()
    assert labels.classes is not None
    even, others = pixels[::2], pixels[1::2]
    kept = others[labels.classes.values[1::2] < 8]
    found = evaluate(kept, even, n=400)
    for name in ("Recall", "Coverage"):
        each = score(found, name)
        assert each.interval[1] < each.floor, name
    precision = score(found, "Precision")
    assert precision.value > precision.floor - 0.06


def test_a_set_that_is_its_own_reference_is_noticed(real):
    found = evaluate(real, real)
    assert any("300 of 300 pictures are, pixel for pixel, among the real ones" in note for note in found.notes)


def test_the_same_seed_is_the_same_evaluation_and_another_differs(real):
    pictures = faces(600, PX, seed=2)[0]
    first = evaluate(pictures, real, n=100)
    assert evaluate(pictures, real, n=100) == first
    assert evaluate(pictures, real, n=100, seed=1).scores[0].value != first.scores[0].value


def test_pictures_of_another_size_and_colour_are_converted_and_it_is_said(real):
    grey = np.rint(real.mean(axis=1, keepdims=True)).astype(np.uint8)[:, :, ::2, ::2]
    found = evaluate(grey, faces(600, PX, seed=2)[0])
    note = next(note for note in found.notes if note.startswith("the real pictures are"))
    assert note == "the real pictures are 16 x 16 pixels, RGB; they were made 8 x 8, grey"


@pytest.mark.parametrize(
    ("pictures", "data", "options", "message"),
    [
        (1, 600, {}, "holds 1 picture; a distribution takes two"),
        (600, 3, {}, "3 real pictures are too few"),
        (600, None, {}, "name them with --data"),
        (600, 600, {"n": 1}, r"n \(=1\) must be at least 2"),
        (600, 600, {"seed": -1}, r"seed \(=-1\) must be 0 or more"),
        (600, 600, {"extractor": "vgg"}, "unknown extractor 'vgg'"),
        (600, 600, {"extractor": "probe"}, "learns labels, and .* has none"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(real, pictures, data, options, message):
    with pytest.raises(InputError, match=message) as refused:
        evaluate(real[:pictures], None if data is None else real[:data], **options)
    assert "\n" not in str(refused.value)


def test_statistics_go_out_and_come_in_and_other_extractors_are_refused(real, tmp_path):
    pictures = faces(600, PX, seed=2)[0]
    labelled = open_images("digits:200")
    found = evaluate(pictures, real, export=tmp_path / "s.npz")
    again = evaluate(pictures, real, statistics=tmp_path / "s.npz")
    assert again.scores[-1].name == "Frechet distance (random features), imported statistics"
    assert again.scores[-1].value == pytest.approx(score(found, "Frechet").value, rel=1e-6)
    with pytest.raises(InputError, match="a distance between two extractors means nothing"):
        evaluate(np.asarray(labelled.images), labelled.images, statistics=tmp_path / "s.npz")


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    home = tmp_path_factory.mktemp("vae")
    return latentry.train("vae", "faces:300", out=home, **SMALL).path


def test_a_run_keeps_everything_that_applies_to_it(vae):
    found = evaluate(vae, n=60)
    assert read_evaluation(vae) == found
    names = [each.name for each in found.scores]
    for start in (
        "Frechet", "Kernel", "Precision", "Recall", "Density", "Coverage", "Negative log-likelihood", "Rate",
        "Distortion", "Mutual information", "Active units", "PSNR", "SSIM", "MIG", "DCI disentanglement",
        "FactorVAE", "SAP", "Copies of training pictures (pixels)", "Repeats among samples (random)",
    ):  # fmt: skip
        assert any(name.startswith(start) for name in names), start
    nll, bound = score(found, "Negative log-likelihood"), score(found, "Negative evidence bound")
    assert nll.value <= bound.value  # k samples bound more tightly than one
    assert nll.passport.split == "held out"
    assert nll.passport.n_real == 60
    assert score(found, "Frechet").passport.split == "train"
    assert score(found, "MIG").floor is not None
    page = (vae / "report.html").read_text()
    assert "<h2>Evaluation</h2>" in page
    assert "Closest pairs" in page
    assert (vae / "copies.png").is_file()


def test_an_autoencoder_has_no_likelihood_and_a_conditional_model_is_asked(tmp_path):
    run = latentry.train("cvae", "digits:200", out=tmp_path, **{**SMALL, "size": None}).path
    found = evaluate(run, n=90)
    accuracy = score(found, "Condition accuracy (class)")
    assert accuracy.passport.extractor == "probe"
    assert accuracy.floor is not None and accuracy.floor > 0.1
    assert any(note.startswith("obeys least: ") for note in found.notes)
    bare = np.asarray(open_images("digits:200").images)
    without = evaluate(run, bare, n=90)
    assert any(note.startswith("obedience, likelihood and reconstruction were left out") for note in without.notes)
    other = latentry.train("autoencoder", "digits:200", out=tmp_path, **{**SMALL, "size": None}).path
    names = [each.name for each in evaluate(other, n=90).scores]
    assert not any("likelihood" in name for name in names)
    assert any(name.startswith("PSNR") for name in names)


def test_a_run_whose_pictures_are_gone_asks_for_others(tmp_path, real):
    np.save(tmp_path / "real.npy", real[:200])
    run = latentry.train("vae", tmp_path / "real.npy", out=tmp_path / "runs", **SMALL).path
    (tmp_path / "real.npy").unlink()
    with pytest.raises(InputError, match="name them with --data") as refused:
        evaluate(run)
    assert "\n" not in str(refused.value)
    found = evaluate(run, real[200:], n=50)
    assert found.notes[0].startswith("the real pictures are not those that the run was trained on")
    np.save(tmp_path / "moved.npy", real[:200])
    known = evaluate(run, tmp_path / "moved.npy", n=50)  # the same pictures elsewhere are known again
    assert score(known, "Frechet").passport.split == "train"


def test_points_of_the_plane_are_measured_by_their_coordinates(tmp_path):
    run = latentry.train("gan", "ring:400", out=tmp_path, images="500").path
    found = evaluate(run, n=100, extractor="auto")
    assert found.extractor == "coordinates"
    assert score(found, "Frechet distance (coordinates)").value > 0
    few = evaluate(run, n=50, extractor="auto")  # enough for a distance, too few for a line through several
    assert score(few, "Frechet distance (coordinates)").value > 0
    assert not any("infinity" in each.name for each in few.scores)


def test_a_model_folder_is_measured_as_its_run_is(vae, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(vae / "model", folder)
    alone, inside = evaluate(folder, n=40, out=tmp_path / "out"), evaluate(vae, n=40, out=tmp_path / "out2")
    assert score(alone, "Frechet").value == score(inside, "Frechet").value
    assert (tmp_path / "out" / "evaluation.html").is_file()
