"""`attributes`, `edit` and `directions` by command: what they write, say and refuse."""

import json

import numpy as np

import latentry
from latentry.cli import run
from tests.cli.pictures import save, size


def test_attributes_writes_a_page_a_strip_a_label_and_the_vectors(vae, capsys):
    capsys.readouterr()
    assert run(["attributes", str(vae), "--probe-shown", "100", "--graded", "10", "--only", "bright"]) == 0
    said = capsys.readouterr().out
    assert "bright" in said
    assert "latentry edit" in said
    assert size(vae / "attributes" / "bright.png") == (8 * 48 + 7 * 2, 6 * 48 + 5 * 2)  # the picture and seven doses
    page = (vae / "attributes.html").read_text()
    assert page.count("data:image/png") == 1
    assert 'src="http' not in page
    record = json.loads((vae / "model" / "vectors" / "vectors.json").read_text())
    assert {entry["name"] for entry in record["vectors"]} == {"bright", "striped"}  # the other is kept


def test_attributes_as_json_has_every_grade(vae, capsys):
    capsys.readouterr()
    run(["attributes", str(vae), "--probe-shown", "100", "--graded", "10", "--method", "boundary", "--json"])
    record = json.loads(capsys.readouterr().out)
    keys = [f"{name}/{way}" for way in ("boundary", "balanced", "difference") for name in ("bright", "striped")]
    assert list(record["grades"]) == keys
    grade = record["grades"]["bright/balanced"]
    assert len(grade["added"]) == len(grade["doses"]) == 6
    assert 0 <= grade["control"] <= 1
    assert record["probe"]["degraded"] is True


def test_an_edit_changes_a_picture_of_any_size_and_mode_and_says_so(vae, tmp_path, capsys):
    save(tmp_path / "photo.png", np.full((30, 20, 3), 70))
    capsys.readouterr()
    arguments = ["edit", str(vae), "--image", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out.npy")]
    assert run([*arguments, "bright=+1.0"]) == 0
    said = capsys.readouterr()
    assert "20 x 30 pixels, RGB; made 8 x 8, grey" in said.err
    brighter = np.load(tmp_path / "out.npy")
    run([*arguments, "bright=0"])
    null = np.load(tmp_path / "out.npy")
    assert brighter.shape == (1, 1, 8, 8)
    assert 60 < brighter.mean() - null.mean() < 160  # the data's bright ones are 120 brighter
    model = latentry.load(vae)
    picture = np.full((1, 1, 8, 8), 70, np.uint8)
    assert np.array_equal(model.edit(picture, {"bright": 1.0}), brighter)


def test_a_strip_has_a_column_a_dose_and_seeds_a_row_each(vae, tmp_path):
    out = tmp_path / "strip.npy"
    run(["edit", str(vae), "bright", "--seeds", "3,5", "--doses", "-1,0,1", "-o", str(out)])
    strip = np.load(out).reshape(2, 3, 1, 8, 8)
    model = latentry.load(vae)
    assert np.array_equal(strip[:, 1], model.sample(seeds=[3, 5]))
    means = strip.mean(axis=(2, 3, 4))
    assert (np.diff(means, axis=1) > 0).all()


def test_far_doses_are_warned_of_and_edits_may_leave_other_vectors_alone(vae, tmp_path, capsys):
    capsys.readouterr()
    run(
        [
            "edit",
            str(vae),
            "bright=7",
            "--seeds",
            "0",
            "--untouched",
            "striped",
            "-o",
            str(tmp_path / "o.png"),
            "--json",
        ]
    )
    record = json.loads(capsys.readouterr().out)
    assert record["notes"] == ["bright=7 is beyond the doses that it was graded at, up to 3 either way"]
    assert record["doses"] == {"bright": 7.0}


def test_an_analogy_shows_the_three_and_what_it_makes_of_them(vae, home, tmp_path):
    a, b, c = (home / "data" / f"{i}.png" for i in (1, 0, 2))
    out = tmp_path / "analogy.npy"
    run(["edit", str(vae), "--analogy", str(a), str(b), str(c), "-o", str(out)])
    four = np.load(out)
    model = latentry.load(vae)
    z = model.encode(four[:3])
    assert np.array_equal(model.decode(z[:1] - z[1:2] + z[2:])[0], four[3])
    run(["edit", str(vae), "--analogy", str(a), str(a), str(c), "-o", str(out)])
    four = np.load(out)
    assert np.array_equal(model.reconstruct(four[2:3])[0], four[3])  # nothing is to nothing


def test_directions_are_found_kept_and_edited_by_name(vae, gan, tmp_path, capsys):
    capsys.readouterr()
    out = tmp_path / "d.png"
    run(["directions", str(vae), "-k", "2", "--name", "1=main", "-o", str(out), "--json"])
    record = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in record["directions"]] == ["main", "principal-2"]
    assert size(out) == (7 * 48 + 6 * 2, 2 * 48 + 2)
    run(["edit", str(vae), "main=2", "--seeds", "0", "-o", str(tmp_path / "e.png")])
    run(["directions", str(gan), "-o", str(out), "--json"])
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert record["directions"][0]["method"] == "activations"


def test_what_is_refused(refuse, vae, gan, home, tmp_path):
    out = ["-o", tmp_path / "o.png"]
    assert "did you mean bright" in refuse("edit", vae, "--seeds", "0", "brigt=1", *out)
    assert "did you mean balanced" in refuse("edit", vae, "--seeds", "0", "bright=1", "--method", "balance", *out)
    assert "no encoder" in refuse("edit", gan, "--analogy", *[home / "data" / "0.png"] * 3, *out)
    assert "latentry attributes RUN" in refuse("edit", gan, "--seeds", "0", "bright=1", *out)
    assert "smiling=+1.5" in refuse("edit", vae, "--seeds", "0", "bright=lots", *out)
    assert "smiling=+1.5" in refuse("edit", vae, "--seeds", "0", "bright=nan", *out)
    assert "one of --image" in refuse("edit", vae, "bright=1", *out)
    assert "no edit" in refuse("edit", vae, "--seeds", "0", *out)
    assert "nowhere.png" in refuse("edit", vae, "--image", tmp_path / "nowhere.png", "bright=1", *out)
    (tmp_path / "notes.png").write_text("no picture")
    assert "notes.png" in refuse("edit", vae, "--image", tmp_path / "notes.png", "bright=1", *out)
    assert "-2,-1,0,1,2" in refuse("edit", vae, "--seeds", "0", "bright", "--doses", "few", *out)
    assert "-2,-1,0,1,2" in refuse("edit", vae, "--seeds", "0", "bright", "--doses", "0,inf", *out)
    assert "neither classes nor attributes" in refuse(
        "edit", vae, "--seeds", "0", "bright", "--method", "condition", *out
    )
    assert not (tmp_path / "o.png").exists()
    for i in range(12):
        save(tmp_path / "one" / f"{i}.png", np.random.default_rng(i).integers(0, 255, (8, 8)))
    assert "no yes/no attributes or classes" in refuse("attributes", vae, "--data", tmp_path / "one")
    (tmp_path / "one" / "labels.csv").write_text("\n".join(["file,smiling", *(f"{i}.png,1" for i in range(12))]))
    assert "same label ('smiling')" in refuse("attributes", vae, "--data", tmp_path / "one")
    assert "did you mean bright" in refuse("attributes", vae, "--only", "brigth")
    assert "(=3) latents are too few for 2 labels" in refuse("attributes", vae, "-n", "3")
    assert "there twice" in refuse("edit", vae, "--seeds", "0", "bright=1", "bright=2", *out)
    assert "1=pose" in refuse("directions", vae, "--name", "pose")
    for names in ("1=pose,2=pose", "1=principal-2", "1=all"):
        assert "name each by itself" in refuse("directions", vae, "--name", names)
    assert {vector.name for vector in latentry.load(vae).vectors} == {"bright", "striped"}  # nothing was kept
