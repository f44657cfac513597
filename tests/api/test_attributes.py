"""Learning and grading edits in a world where the right vectors, and what each edit does, are known."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

import latentry
from latentry.api.attributes import learn_attributes, leave_untouched
from latentry.api.directions import find_directions
from latentry.data.labels import AttributeLabels, Labels
from tests.api.halves import SETTINGS, STEP, Halves, Painted, halves


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    own: dict[str, Any] = {"encoder": Halves(), "decoder": Painted()}
    run = latentry.train("autoencoder", halves(), out=tmp_path_factory.mktemp("runs"), **own, **SETTINGS)
    return latentry.load(run.path, **own)


@pytest.fixture(scope="module")
def learnt(model, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTRY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return learn_attributes(model, halves(), n_shown=3000)


def test_balanced_vectors_are_those_of_the_world_and_plain_ones_take_the_other_label_along(model, learnt):
    assert model.vectors.find("left").direction == pytest.approx([STEP, 0], abs=0.01)
    assert model.vectors.find("right").direction == pytest.approx([0, STEP], abs=0.01)
    plain = model.vectors.find("left", "difference").direction
    assert plain == pytest.approx([STEP, 0.6 * STEP], abs=0.12)
    assert model.vectors.find("left").data["name"] == "halves"
    # The mean of 32 pixels has little noise, so the error is small and the same in both coordinates.
    error = model.vectors.find("left").error
    assert 0 < error.max() < 0.01


def test_grades_say_that_the_balanced_edit_changes_one_label_and_the_plain_one_both(learnt):
    balanced, plain = learnt.grades["left/balanced"], learnt.grades["left/difference"]
    assert balanced.success[balanced.doses.index(1.0)] == 1.0
    assert balanced.success[0] == 0.0  # the null edit
    assert balanced.ceiling == 1.0
    assert balanced.recommended == 1.0
    assert balanced.mean_flips[balanced.at] == 0.0
    assert balanced.drift[balanced.at] < 0.05
    at = plain.doses.index(1.5)
    assert plain.mean_flips[at] > 0.2
    assert balanced.n_with + balanced.n_without == len(learnt.held.z) == 120
    # A vector as long from shuffled labels points anywhere, so it does less than the real one.
    assert learnt.controls["left/balanced"] < 0.8


def test_the_edit_that_is_recommended_first_is_the_one_that_does_most_and_least_else(learnt):
    assert learnt.best == ("left", "balanced", 1.0)
    only = {"left/difference": learnt.grades["left/difference"], "right/balanced": learnt.grades["right/balanced"]}
    assert dataclasses.replace(learnt, grades=only).best[:2] == ("right", "balanced")
    assert dataclasses.replace(learnt, grades={}).best == (learnt.vectors[0].name, learnt.vectors[0].method, 1.0)


def test_an_edit_moves_the_pixels_that_it_should(model, learnt):
    picture = np.full((1, 1, 8, 8), 60, np.uint8)
    edited = model.edit(picture, {"left": 1.0}).astype(int)
    assert np.abs(edited[..., :4] - 180).max() <= 2
    assert np.abs(edited[..., 4:] - 60).max() <= 2
    both = model.edit(picture, {"left": 0.5, "right": 1.0}).astype(int)
    assert np.abs(both[..., :4] - 120).max() <= 2
    assert np.abs(both[..., 4:] - 180).max() <= 2
    assert np.array_equal(model.edit(picture, {"left": 0}), model.reconstruct(picture))


def test_vectors_are_kept_in_the_model_folder_and_learning_again_gives_the_same_bytes(model, learnt):
    files = {file.name: file.read_bytes() for file in (model.path / "vectors").iterdir()}
    assert set(files) == {"vectors.json", "vectors.safetensors"}
    again = latentry.load(model.path, encoder=Halves(), decoder=Painted())
    assert np.array_equal(again.vectors.find("right").direction, model.vectors.find("right").direction)
    learn_attributes(again, halves(), n_shown=3000)
    assert files == {file.name: file.read_bytes() for file in (model.path / "vectors").iterdir()}


def test_untouched_vectors_stay_where_they_are(model, learnt):
    changed = leave_untouched(model.vectors, ["left"], ["right"], "difference")
    left, right = (changed.find(name, "difference").direction for name in ("left", "right"))
    assert left @ right == pytest.approx(0, abs=1e-6)
    assert np.array_equal(right, model.vectors.find("right", "difference").direction)


def test_classes_each_against_the_rest(model):
    report = learn_attributes(model, halves(by="class"), n_shown=4000, only=["both"])
    assert report.kind == "class"
    assert {vector.name for vector in report.vectors} == {"both"}
    # none is (0, 0), left (1, 0), right (0, 1), both (1, 1) steps; the others' mean is a third of each.
    expected = STEP * (np.ones(2) - np.ones(2) / 3)
    assert model.vectors.find("both").direction == pytest.approx(expected, abs=0.01)


def test_labels_that_cannot_be_learnt_are_refused_or_left_out(model):
    n = 600
    same = Labels(attributes=AttributeLabels(np.ones((n, 1), np.uint8), ("left",)))
    with pytest.raises(latentry.InputError, match="same label"):
        learn_attributes(model, halves(labels=same), n_shown=100)
    with pytest.raises(latentry.InputError, match="no yes/no attributes or classes"):
        learn_attributes(model, halves(labels=Labels()), n_shown=100)
    with pytest.raises(latentry.InputError, match="did you mean left"):
        learn_attributes(model, halves(), only=["leftt"], n_shown=100)
    shown = halves().labels.attributes.values
    more = np.column_stack([shown, 1 - shown[:, 0], np.zeros(n, np.uint8)])
    labels = Labels(attributes=AttributeLabels(more, ("left", "right", "dark_left", "never")))
    report = learn_attributes(model, halves(labels=labels), n_shown=500, n_graded=5)
    assert report.names == ("left", "right")
    assert any("never" in note for note in report.notes)
    assert any("dark_left" in note for note in report.notes)


def test_directions_of_a_linear_decoder(model):
    # Both halves answer alike to their coordinate, so SeFa finds two equal gains of 32 pixels each.
    weights = find_directions(model, "weights")
    assert [v.data["share"] for v in weights] == pytest.approx([0.5, 0.5])
    # The labels go together: the latents vary most along (1, 1).
    principal = find_directions(model, "principal", n=500, names={1: "both halves"})
    first = model.vectors.find("both halves").direction
    z = model.latents(range(500))
    values, vectors = np.linalg.eigh(np.cov(z.T, bias=True))
    assert np.abs(first) == pytest.approx(np.sqrt(values[-1]) * np.abs(vectors[:, -1]), rel=1e-3)
    assert principal[0].data["share"] == pytest.approx(values[-1] / values.sum(), rel=1e-3)
    # The layer is an isometry but for scale: early activations have the same components.
    activations = find_directions(model, "activations", n=500)
    assert activations[0].direction == pytest.approx(first, abs=1e-3)
    with pytest.raises(latentry.InputError, match="no direction 9"):
        find_directions(model, "weights", names={9: "nine"})
    with pytest.raises(latentry.InputError, match="did you mean principal"):
        find_directions(model, "pricipal")


def test_pictures_decoded_meanwhile_are_not_taken_for_those_looked_at(model, monkeypatch):
    alone = find_directions(model, "activations", n=500)
    others, decode = torch.ones(3, *model.latent_shape), type(model.network).decode

    def decode_among_others(network, *args):  # what another thread of the explorer may do just then
        pictures = decode(network, *args)
        decode(model.network, others)
        return pictures

    monkeypatch.setattr(type(model.network), "decode", decode_among_others)
    meanwhile = find_directions(model, "activations", n=500)
    assert [v.direction.tolist() for v in meanwhile] == [v.direction.tolist() for v in alone]
