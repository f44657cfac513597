"""What a comparison says first, what it warns of, and that its page holds all of it and nothing from elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from latentry.metrics.comparison import group
from latentry.metrics.evaluation import Evaluation
from latentry.metrics.passport import Passport, Score
from latentry.report.comparison import Comparison, Contender, differing_settings, table_rows
from latentry.report.comparison_page import curve_svg, write_comparison_page
from latentry.training.doctor import Finding

PASSPORT = Passport("random", "a" * 64, "none", 1000, 1000, "train", "f" * 64, 0)
PICTURES = np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)


def distance(value, **changes):
    score = Score("Frechet distance (random features)", value, (value - 0.1, value + 0.1), PASSPORT, "", False)
    return replace(score, floor=0.5, **changes)


def psnr(value):
    return Score("PSNR of reconstructions", value, (value - 0.1, value + 0.1), PASSPORT, "dB", True)


def contender(name, *scores, **changes):
    usual = Contender(
        name=name, run=f"runs/{name}", recipe=name, data="mine", shape=(1, 8, 8), fingerprint="f" * 64,
        parameters=1_234_567, model_bytes=4_900_000, images=200_000, seconds=400.0, enough=100_000, encodes=False,
        asked_for=(), evaluation=Evaluation(name, "mine", "random", "asked for", scores), findings=(),
        curve=((100, 3.0), (200, 2.0)), curve_name="held-out loss", settings={"training.lr": 0.1, "training.batch": 32},
        samples=PICTURES,
    )  # fmt: skip
    return replace(usual, **changes)


def compared(*contenders):
    return Comparison(contenders, group({each.name: each.evaluation for each in contenders}))


def test_the_first_sentence_names_the_best_where_there_is_one():
    found = compared(contender("far", distance(2.0)), contender("near", distance(1.0)))
    assert found.answer == (
        "For new pictures take near: its samples are nearest to real ones, beyond chance.",
        "Frechet distance (random features), less is better: near 1 (0.9 to 1.1), far 2 (1.9 to 2.1).",
    )


def test_and_names_none_where_the_samples_show_none():
    found = compared(contender("a", distance(1.0)), contender("b", distance(1.05)))
    assert found.answer[0].startswith("For new pictures a and b: no difference that the samples can show.")


def test_who_edits_pictures_of_ones_own():
    gan, vae = contender("gan", distance(1.0)), contender("vae", distance(2.0), psnr(20.0), encodes=True)
    other = contender("other", distance(3.0), psnr(21.0), encodes=True, asked_for=("yes", "no"))
    assert compared(gan, contender("b", distance(2.0))).answer[2:] == ()
    assert compared(gan, vae).answer[2].startswith("To edit or morph pictures of your own take vae: of these it alone")
    assert compared(gan, vae, other).answer[2:] == (
        "To edit or morph pictures of your own take other: it reconstructs them best.",
        "Only other can be asked for what to show.",
    )


def test_runs_on_other_pictures_are_not_ranked_and_it_is_said():
    elsewhere = replace(PASSPORT, data="0" * 64)
    found = compared(
        contender("a", distance(1.0)),
        contender("b", distance(2.0)),
        contender("far", distance(0.1, passport=elsewhere), data="theirs"),
    )
    assert found.answer[0].startswith("For new pictures take a (on mine, 8 x 8)")
    assert found.answer[2] == (
        "far is ranked with no other (on theirs, 8 x 8): "
        "their real pictures (fingerprint) differ: 000000000000 and ffffffffffff."
    )


def test_what_speaks_against_trusting_it_is_said():
    short = contender("short", distance(5.0), images=5_000)
    copies = Score("Copies of training pictures (pixels)", 0.2, (0.1, 0.3), PASSPORT, "share", False)
    thief = contender("thief", distance(2.0), replace(copies, said=("more than ...: it copies",)))
    lines = compared(short, thief).cautions
    assert lines[0].startswith("Trained too little to be judged: short (5%) of the images that such a recipe takes")
    assert lines[1] == "thief repeats training pictures (20 % (10 % to 30 %) of its samples): look at them."
    assert lines[2].startswith("Even the best is 4 times as far from real pictures as other real pictures are")
    assert lines[3].startswith("Intervals are about samples of these models; another training seed")
    unequal = compared(contender("a", distance(0.9)), contender("b", distance(2.0), seconds=1000.0)).cautions
    assert unequal[0] == "Trained for unequal times, 400 s (a) to 17 min (b): this ranks these runs, not their recipes."
    near = compared(contender("a", distance(0.9)), contender("b", distance(2.0))).cautions
    assert len(near) == 1  # within three times the floor


def test_the_table_marks_what_is_best_beyond_chance():
    found = compared(contender("a", distance(1.0)), contender("b", distance(1.05)), contender("c", distance(2.0)))
    rows = {title: (cells, marks) for title, cells, marks in table_rows(found.groups[0], found)}
    assert rows["distance to real pictures"][0] == ("1 (0.9 to 1.1)", "1.05 (0.95 to 1.15)", "2 (1.9 to 2.1)", "0.5")
    assert rows["distance to real pictures"][1] == (True, True, False, False)
    assert rows["speed"][0] == ("500 images/s", "500 images/s", "500 images/s", "")
    assert rows["parameters"][0][0] == "1,234,567"
    assert "reconstructions (PSNR)" not in rows  # nobody has any


def test_only_settings_that_differ_are_listed():
    a, b = contender("a"), contender("b", settings={"training.lr": 0.2, "training.batch": 32, "model.beta": 4})
    assert differing_settings([a, b]) == {"training.lr": ("0.1", "0.2"), "model.beta": ("", "4")}


def test_a_curve_goes_from_the_upper_left_to_the_lower_right_as_the_loss_falls():
    svg = curve_svg(contender("a", curve=((0, 4.0), (50, float("nan")), (100, 2.0))))
    assert 'points="6.0,6.0 314.0,114.0"' in svg  # what is not finite is left out
    assert "4 → 2, 0 to 100 images" in svg
    assert curve_svg(contender("a", curve=((0, 4.0),))) == "<p>too few points for a curve</p>"


@pytest.mark.parametrize("folder", ["", "new/folder"])
def test_the_page_holds_everything_and_needs_nothing(tmp_path, folder):
    finding = Finding("critic wins", "it is sure of <all>", "it learns faster", "--critic-lr 1e-4")
    a = contender("a", distance(1.0), findings=(finding,))
    b = contender("b", distance(2.0), encodes=True, reals=PICTURES, reconstructions=PICTURES[:4])
    path = write_comparison_page(tmp_path / folder / "compare.html", compared(a, b))
    page = path.read_text()
    order = ["For new pictures take a", "distance to real pictures", "Samples", "Reconstructions", "Curves",
             "it is sure of &lt;all&gt;", "Settings that differ", "Measured with",
             "latentry compare runs/a runs/b"]  # fmt: skip
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    assert page.count('src="data:image/png;base64,') == 4  # two grids of samples, the real ones, one of pairs
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_json_has_the_numbers_and_no_pictures():
    record = compared(contender("a", distance(1.0)), contender("b", distance(2.0), psnr(20.0))).to_json()
    assert record["groups"][0]["rankings"][0]["best"] == ("a",)
    assert record["contenders"][1]["evaluation"]["scores"][1]["value"] == 20.0
    assert "samples" not in record["contenders"][0]
