"""Conditional models by command: trained on plain colours, asked for one, judged by the pixels that come out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentry.cli import main, run
from latentry.cli.flags import parse_values
from latentry.errors import InputError

Refuse = Callable[..., str]
# Rates and first weights do not follow the recipes, which may change.
SMALL = ["--size", "8", "--backbone", "mlp", "--hidden", "32", "--critic-hidden", "64", "64", "--latent", "3",
         "--batch", "32", "--ticks", "2", "--augment", "none", "--flip", "no", "--ema", "1k", "--device", "cpu",
         "--lr", "1e-3", "--schedule", "constant", "--adam-beta1", "0", "--adam-beta2", "0.9", "--init-std", "0.02",
         "--norm", "batch", "--critic-norm", "none"]  # fmt: skip


def paint(path: Path, colour: np.ndarray, rng: np.random.Generator) -> None:
    """Eight by eight pixels of a colour, with a little noise, so that no two pictures are copies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = colour + rng.normal(0, 8, (8, 8, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def classes(root: Path) -> None:
    """Red and blue pictures, a folder each."""
    rng = np.random.default_rng(0)
    for i in range(60):
        paint(root / "red" / f"{i}.png", np.array([200, 50, 50]), rng)
        paint(root / "blue" / f"{i}.png", np.array([50, 50, 200]), rng)


def attributes(root: Path) -> None:
    """Warm or cold, bright or dark, each told in a column."""
    rng, rows = np.random.default_rng(1), ["file,warm,bright"]
    for i in range(120):
        warm, bright = i % 2, i // 2 % 2
        colour = np.array([150, 80, 30]) if warm else np.array([30, 80, 150])
        paint(root / f"{i}.png", colour + 70 * bright, rng)
        rows.append(f"{i}.png,{warm},{bright}")
    (root / "labels.csv").write_text("\n".join(rows))


def numbers(root: Path) -> None:
    """Grey of a level between 40 and 220, and how cold it is, in degrees below 0."""
    rng, rows = np.random.default_rng(2), ["file,level,cold"]
    for i in range(120):
        level, cold = rng.uniform(40, 220), rng.uniform(-20.5, -0.5)
        paint(root / f"{i}.png", np.array([level, level, level]), rng)
        rows.append(f"{i}.png,{level:.2f},{cold:.2f}")
    (root / "labels.csv").write_text("\n".join(rows))


GAME = ["--critic-condition", "projection", "--constraint", "r1", "--penalty", "0.1", "--images", "12k"]
RUNS = {
    "class": (classes, ["cgan", *GAME]),
    "attributes": (attributes, ["cgan", "--condition", "attributes", *GAME]),
    "numbers": (numbers, ["cwgan-gp", "--condition", "numbers", "--condition-on", "level", "--critic-steps", "2",
                          "--images", "12k"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run that is told of a kind, trained by the command when first asked for."""
    made: dict[str, Path] = {}

    def train(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            write, arguments = RUNS[kind]
            write(folder / "pictures")
            out = folder / "runs"
            assert run(["train", *arguments, "--data", str(folder / "pictures"), "--out", str(out), *SMALL]) == 0
            [made[kind]] = out.iterdir()
        return made[kind]

    return train


def sample(path: Path, out: Path, *arguments: str, n: int = 24) -> np.ndarray:
    """Mean colours [n, 3] of pictures asked for."""
    assert run(["sample", str(path), "-n", str(n), "-o", str(out / "x.npy"), *arguments]) == 0
    return np.load(out / "x.npy").astype(float).mean(axis=(2, 3))


def test_a_class_is_what_comes_out(trained: Callable[[str], Path], tmp_path: Path) -> None:
    """Each picture, not on average; and both classes come where none is asked for."""
    for name, sign in (("red", 1), ("blue", -1)):
        colour = sample(trained("class"), tmp_path, "--class", name)
        assert ((colour[:, 0] - colour[:, 2]) * sign > 50).all()
    colour = sample(trained("class"), tmp_path, n=60)
    red = (colour[:, 0] > colour[:, 2]).mean()
    assert 0.3 < red < 0.7


def test_attributes_are_what_comes_out_each_by_itself(trained: Callable[[str], Path], tmp_path: Path) -> None:
    warmth, light = {}, {}
    for warm in (0, 1):
        for bright in (0, 1):
            colour = sample(trained("attributes"), tmp_path, "--attributes", f"bright={bright},warm={warm}")
            warmth[warm, bright], light[warm, bright] = (colour[:, 0] - colour[:, 2]).mean(), colour.mean()
    assert min(warmth[1, 0], warmth[1, 1]) > 40 and max(warmth[0, 0], warmth[0, 1]) < -40
    assert min(light[0, 1], light[1, 1]) - max(light[0, 0], light[1, 0]) > 30
    colour = sample(trained("attributes"), tmp_path, "--attributes", "bright=1", n=60)
    warm_share = (colour[:, 0] > colour[:, 2]).mean()
    assert 0.2 < warm_share < 0.8  # what is not asked for comes as often as in the data


def test_numbers_are_asked_for_in_their_own_units(trained: Callable[[str], Path], tmp_path: Path) -> None:
    found = [sample(trained("numbers"), tmp_path, "--numbers", f"level={level}").mean() for level in (60, 130, 200)]
    assert found == pytest.approx([60, 130, 200], abs=35)


def test_the_same_seed_is_the_same_file(trained: Callable[[str], Path], tmp_path: Path) -> None:
    """Asked for again, alone or among others."""
    files = [tmp_path / name for name in ("one", "two", "three")]
    for file, seeds in zip(files, ("0-3", "0-3", "3"), strict=True):
        run(["sample", str(trained("class")), "--class", "blue", "--seeds", seeds, "-o", str(file)])
    contents = [(file / "seed-000003.png").read_bytes() for file in files]
    assert contents[0] == contents[1] == contents[2]
    for name in ("a.npy", "b.npy"):
        run(["sample", str(trained("class")), "--seeds", "5-9", "-o", str(tmp_path / name)])
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()  # conditions are drawn by seed too


def test_a_run_says_how_well_it_obeys(trained: Callable[[str], Path]) -> None:
    record = json.loads((trained("class") / "metrics.json").read_text())
    assert record["obedience"]["overall"] > 0.95 and record["obedience"]["names"] == ["blue", "red"]


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Call the command, check that it refuses in one line with status 2, and return the line."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["latentry", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        line = capsys.readouterr().err.strip()
        assert end.value.code == 2 and line.startswith("latentry: ") and "\n" not in line, line
        assert not (tmp_path / "runs").exists() and not list(tmp_path.glob("samples*"))
        return line

    return call


def test_wishes_that_the_model_does_not_know(refuse: Refuse, trained: Callable[[str], Path]) -> None:
    assert "did you mean blue" in refuse("sample", trained("class"), "--class", "bleu")
    assert "conditioned on class: blue, red" in refuse("sample", trained("class"), "--attributes", "red=1")
    assert "did you mean bright" in refuse("sample", trained("attributes"), "--attributes", "brigth=1")
    assert "from 0 (no) to 1 (yes)" in refuse("sample", trained("attributes"), "--attributes", "bright=7")
    assert "bright twice" in refuse("sample", trained("attributes"), "--attributes", "bright=1,bright=0")
    assert "must be names with numbers" in refuse("sample", trained("attributes"), "--attributes", "bright=yes")
    assert "must be names with numbers" in refuse("sample", trained("attributes"), "--attributes", "bright")
    assert "did you mean level" in refuse("sample", trained("numbers"), "--numbers", "levle=3")
    assert "finite" in refuse("sample", trained("numbers"), "--numbers", "level=nan")
    assert "'cold'" in refuse("sample", trained("numbers"), "--numbers", "cold=-3")  # in the data, not told


def test_names_may_have_commas_and_equals_signs_in_them() -> None:
    assert parse_values("numbers", "a, b=1,c=d=-0.5,e=2e3") == {"a, b": 1, "c=d": -0.5, "e": 2000}
    for text in ("", "a", "a=", "a=1,b", "a=1,b=c", "=1"):
        with pytest.raises(InputError, match="must be names with numbers"):
            parse_values("numbers", text)


def test_data_that_cannot_be_told(refuse: Refuse, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(6):
        paint(tmp_path / "plain" / f"{i}.png", np.array([100, 100, 100]), rng)
        paint(tmp_path / "lone" / "cats" / f"{i}.png", np.array([100, 100, 100]), rng)
        paint(tmp_path / "odd" / "cats" / f"{i}.png", np.array([100, 100, 100]), rng)
    paint(tmp_path / "odd" / "dog" / "0.png", np.array([10, 100, 100]), rng)
    assert "plain has no labels" in refuse("train", "cgan", "--data", "plain", "--size", "8")
    assert "yes/no columns" in refuse("train", "cwgan-gp", "--data", "digits")
    assert "condition=class needs" in refuse("train", "cgan", "--data", "lone", "--size", "8")
    assert "single picture" in refuse("train", "cgan", "--data", "odd", "--size", "8")
    asked = ("train", "cwgan-gp", "--data", "faces:200", "--condition-on", "smilling")
    assert "did you mean smiling" in refuse(*asked)


def test_settings_that_no_conditional_model_can_have(refuse: Refuse) -> None:
    assert "norm=batch" in refuse("train", "cgan", "--data", "digits", "--norm", "none", "--condition-by", "norm")
    assert "packing (=2)" in refuse("train", "cgan", "--data", "digits", "--packing", "2")
    assert "needs a condition" in refuse("train", "acgan", "--data", "digits", "--condition", "none")
    assert "batch normalisation" in refuse("train", "wgan-gp", "--data", "digits", "--critic-norm", "batch")


def test_a_model_that_is_told_nothing_cannot_be_asked(refuse: Refuse, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    run(["train", "gan", "--data", str(tmp_path / "pictures.npy"), "--out", str(tmp_path / "plain"), *SMALL,
         "--images", "64"])  # fmt: skip
    [path] = (tmp_path / "plain").iterdir()
    assert "conditioned on nothing" in refuse("sample", path, "--class", "red")
