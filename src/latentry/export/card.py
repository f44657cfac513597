"""The model card: what a stranger must know before using the weights, from what the run has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentry._version import __version__
from latentry.errors import InputError
from latentry.export.folder import is_own_data, licence_note
from latentry.files import read_json
from latentry.metrics.evaluation import read_evaluation
from latentry.metrics.passport import Passport, Score
from latentry.models.trained import TrainedModel
from latentry.report.grid import tile, to_png

SAMPLES = "samples.png"
LICENCE = r"[a-z0-9][a-z0-9.-]*"
_SHOWN = 32


def sample_sheet(model: TrainedModel) -> bytes:
    """Pictures of the first seeds side by side, as the bytes of a PNG."""
    return to_png(tile(model.sample(_SHOWN)))


def model_card(model: TrainedModel, licence: str | None) -> str:
    """The card as Markdown, with the header that the hub reads.

    Args:
        model: of a run that has ended; what stands beside its folder is read too.
        licence: of the weights, as the hub names licences; None leaves it open.
    """
    data = str(model.facts.get("data", "pictures"))
    run = model.path.parent
    parts = [
        _header(model, data, licence),
        f"# {model.config.recipe} on {data}",
        f"![pictures of seeds 0 to {_SHOWN - 1}]({SAMPLES})",
        _what_it_is(model),
        _use(model),
        "## Training data\n\n" + _data(run, data),
        "## Measured\n\n" + _measured(run),
        _INTENDED,
        f"## Licence\n\nWeights: {licence_note(data, licence)}. Code: Apache-2.0.",
        f"Made with latentry {__version__}. Nothing in this repository is executed when it is loaded: tensors are in "
        "safetensors, all else is JSON.",
    ]
    return "\n\n".join(parts) + "\n"


def _header(model: TrainedModel, data: str, licence: str | None) -> str:
    own = "apache-2.0" if is_own_data(data) else "other"
    tags = ["latentry", "image-generation", "latent-space", model.config.family]
    if model.condition is not None:
        tags.append("conditional")
    lines = ["---", f"license: {licence or own}"]
    if (licence or own) == "other":
        lines.append("license_name: not-stated")
    lines += ["library_name: latentry", "pipeline_tag: unconditional-image-generation", "tags:"]
    return "\n".join([*lines, *(f"- {tag}" for tag in tags), "---"])


def _what_it_is(model: TrainedModel) -> str:
    image, spec = model.image, model.condition
    what = (
        "points of the plane"
        if image.points
        else f"pictures of {image.width} x {image.height} pixels with {image.channels} channels"
    )
    lines = [
        f"A `{model.config.recipe}` that makes {what} from latents of shape {list(model.latent_shape)}. New ones are "
        f"drawn from the `{model.sampler}` sampler ({', '.join(model.samplers) or 'none other'})."
    ]
    if spec is not None:
        names = ", ".join(spec.names[:40]) + (" and more" if len(spec.names) > 40 else "")
        lines.append(f"It is told {spec.kind}: {names}.")
    if len(model.vectors):
        lines.append("Vectors for editing: " + ", ".join(model.vectors.names[:40]) + ".")
    if "images" in model.facts:
        lines.append(f"It saw {model.facts['images']:,} pictures while it was trained, repeats included.")
    return "\n\n".join(lines)


def _use(model: TrainedModel) -> str:
    image = model.image
    made = (
        f"model.sample(16)  # [16, {image.channels}, {image.height}, {image.width}], the same seed is the same picture"
    )
    lines = ["import latentry", "", 'model = latentry.load("owner/name")  # or the folder', f"pictures = {made}"]
    if len(model.vectors):
        lines.append(f'edited = model.edit(pictures, {{"{model.vectors.names[0]}": 1.0}})')
    return "## Use\n\n```python\n" + "\n".join(lines) + "\n```"


def _data(run: Path, data: str) -> str:
    if not (run / "data.json").is_file():
        return f"`{data}`. No report on the pictures travels with this model."
    record = read_json(run / "data.json")
    report: dict[str, Any] = record.get("report") or {}
    lines = [f"`{data}`: {record['n_train']:,} pictures to train on, {record['n_held_out']:,} held out."]
    lines += [f"- {each}" for each in report.get("policy") or []]
    if report.get("n_skipped"):
        lines.append(f"- {report['n_skipped']:,} files could not be read and were left out")
    lines += [f"- {each}" for each in (*(report.get("notes") or []), *(report.get("warnings") or []))]
    lines.append(f"- fingerprint `{record['fingerprint'][:16]}`")
    return "\n".join([lines[0], "", *lines[1:]])


def _measured(run: Path) -> str:
    lines: list[str] = []
    if (run / "metrics.json").is_file():
        lines += [f"- {said}" for part in read_json(run / "metrics.json").values() for said in part["said"]]
    try:
        evaluation = read_evaluation(run)
    except InputError:  # of another version: a number without its passport is none
        evaluation = None
    if evaluation is None:
        return "\n".join(lines) or "Nothing was measured. `latentry evaluate RUN` does."
    passports: list[Passport] = []
    for score in evaluation.scores:
        if score.passport not in passports:
            passports.append(score.passport)
    lines += ["", f"Features: {evaluation.extractor} ({evaluation.chosen}).", ""] if lines else []
    lines += ["| measure | value | 95 % | floor | passport |", "|---|---|---|---|---|"]
    lines += [_row(score, passports.index(score.passport) + 1) for score in evaluation.scores]
    lines += ["", "The floor is what other real pictures score. Numbers compare only where passports agree.", ""]
    lines += [f"{number}. {_passport(each)}" for number, each in enumerate(passports, 1)]
    return "\n".join([*lines, *(f"\nNote: {note}" for note in evaluation.notes)])


def _row(score: Score, passport: int) -> str:
    interval = "" if score.interval is None else f"{score.interval[0]:.3g} to {score.interval[1]:.3g}"
    floor = "" if score.floor is None else f"{score.floor:.3g}"
    return f"| {score.name} | {score.value:.4g} {score.unit} | {interval} | {floor} | {passport} |"


def _passport(passport: Passport) -> str:
    hashed = f" {passport.extractor_hash[:12]}" if passport.extractor_hash else ""
    versions = ", ".join(f"{name} {version}" for name, version in passport.versions.items())
    details = ", ".join(f"{name} {value}" for name, value in passport.details.items())
    pictures = f"{passport.n_real:,} real ({passport.split}) and {passport.n_fake:,} generated pictures"
    return (
        f"extractor {passport.extractor}{hashed}, resize {passport.resize}, {pictures}, data {passport.data[:16]}, "
        f"seed {passport.seed}, {versions}" + (f"; {details}" if details else "")
    )


_INTENDED = """## Intended use and limits

For studying latent spaces, for teaching, and for making pictures like those it was trained on. It knows no other
pictures: what is rare among them it makes badly or never, and what goes together in them it takes to belong together.
A small set can be copied in part; `latentry evaluate` looks for copies. Pictures it makes of people are of nobody, but
may resemble somebody. It is not made for decisions about people, and its attribute vectors describe its training
labels, not the persons shown."""
