"""`report.html`: one file that shows a run to a person; no script, no other file, no network."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

from latentry.files import read_json, write_file
from latentry.report.document import document
from latentry.report.evaluation import evaluation_section
from latentry.report.findings import findings_section
from latentry.training.doctor import diagnose_run
from latentry.training.run import Run

PAGE = "report.html"


def write_page(run: Run) -> Path:
    """Write `report.html` into a run's folder, from what is there; its path."""
    config, data, log = run.read_config(), read_json(run.data_file), run.read_log()
    model = read_json(run.model / "config.json") if (run.model / "config.json").exists() else None
    title = f"{config.recipe} on {data['name']}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{html.escape(run.path.name)}</p>",
        _facts(data, log, model),
        findings_section(diagnose_run(run.path)),
        _figure(run.path / "samples.png", "Samples", _sampler_sentence(model)),
        _figure(_newest(run.samples, "reconstructions-*.png"), "Reconstructions", _RECONSTRUCTIONS),
        _figure(run.samples / "reals.png", "Real pictures", "From the same data set."),
        f'<h2>Training</h2><div class="plots">{_plots(log)}</div>' if len(log) > 1 else "",
        _figure(run.samples / "final-prior.png", "Samples from the own prior", _PRIOR) if _fitted(model) else "",
        _measured(run),
        evaluation_section(run.path),
        f"<h2>Data</h2>{_table(_flatten(data))}",
        f"<h2>Settings</h2>{_settings(config.to_json())}",
        f"<h2>Again</h2><pre>latentry sample {html.escape(str(run.path))} --seeds 0-63 -o samples.png</pre>",
    ]
    path = run.path / PAGE
    write_file(path, document(title, "".join(parts)))
    return path


_RECONSTRUCTIONS = "Each row of pictures stands above the row of what the model makes of them; held out from training."
_PRIOR = "For comparison: where these are worse than the samples above, the encoded data do not fill the prior."


def _facts(data: dict[str, Any], log: list[dict[str, Any]], model: dict[str, Any] | None) -> str:
    last: dict[str, Any] = log[-1] if log else {}
    terms: dict[str, Any] = last.get("held_out") or last.get("train") or {}
    image = data["image"]
    facts = {
        "picture": "a point" if image["points"] else f"{image['height']} x {image['width']} x {image['channels']}",
        "training pictures": f"{data['n_train']:,}",
        "images seen": f"{last.get('images', 0):,}",
        "seconds": f"{last.get('seconds', 0):,.0f}",
        **{name.replace("_", " "): f"{value:,.1f}" for name, value in terms.items() if isinstance(value, float)},
        **({"active units": f"{terms['active_units']}"} if "active_units" in terms else {}),
        **({"sampler": model["sampler"]["chosen"]} if model else {}),
    }
    cells = "".join(f"<div><b>{html.escape(v)}</b><span>{html.escape(k)}</span></div>" for k, v in facts.items())
    return f'<div class="facts">{cells}</div>'


def _sampler_sentence(model: dict[str, Any] | None) -> str:
    if model is None:
        return "From the model's own prior."
    scores = model["sampler"]["held_out_log_likelihood"]
    if not scores:
        return "Latents drawn from the model's own prior."
    ranked = ", ".join(f"{name} {score:,.1f}" for name, score in sorted(scores.items(), key=lambda s: -s[1]))
    return f"Latents drawn from: {model['sampler']['chosen']}. Held-out log-likelihood of latents, nats: {ranked}."


def _measured(run: Run) -> str:
    """What was measured at the end: whether a model does what it is told, which modes it has found."""
    found = run.read_metrics().values()
    lines = "".join(f"<p>{'<br>'.join(html.escape(line) for line in part['said'])}</p>" for part in found)
    return f"<h2>Measured</h2>{lines}" if lines else ""


def _fitted(model: dict[str, Any] | None) -> bool:
    """Whether the samples come from a fitted sampler, so that those of the own prior are worth showing."""
    return model is not None and model["sampler"]["chosen"] != "prior"


def _figure(path: Path | None, title: str, caption: str) -> str:
    if path is None or not path.exists():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f"<h2>{html.escape(title)}</h2><figure><figcaption>{html.escape(caption)}</figcaption>"
        f'<img alt="{html.escape(title)}" src="data:image/png;base64,{data}"></figure>'
    )


def _newest(folder: Path, pattern: str) -> Path | None:
    return max(folder.glob(pattern), default=None)


def _plots(log: list[dict[str, Any]]) -> str:
    """Loss terms over images, and the last KL of each dimension, as inline SVG."""
    import matplotlib.figure

    names = [name for name, value in log[-1]["train"].items() if isinstance(value, float)]
    last_kl = (log[-1].get("held_out") or log[-1]["train"]).get("kl_per_dimension")
    n = len(names) + (last_kl is not None)
    columns = min(n, 3)
    rows = -(-n // columns)
    figure = matplotlib.figure.Figure(figsize=(4 * columns, 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    images = [record["images"] for record in log]
    for axis, name in zip(axes, names, strict=False):
        axis.plot(images, [record["train"][name] for record in log], label="training", color="#9ca3af")
        if name in (log[-1]["held_out"] or {}):
            axis.plot(images, [record["held_out"][name] for record in log], label="held out", color="#2563eb")
            axis.legend(frameon=False)
        unit = " (nats per image)" if name in _IN_NATS else ""
        axis.set(title=f"{name.replace('_', ' ')}{unit}", xlabel="images seen")
    if last_kl is not None:
        axes[len(names)].bar(range(len(last_kl)), sorted(last_kl, reverse=True), color="#2563eb")
        axes[len(names)].set(title="KL of each dimension (nats), ranked", xlabel="rank")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[n:]:
        axis.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    svg = buffer.getvalue().decode()
    return svg[svg.index("<svg") :]


_IN_NATS = ("loss", "reconstruction", "kl", "total_correlation", "commitment", "prior_nll")


def _flatten(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{label} · "))
        else:
            flat[label] = value
    return flat


def _table(record: dict[str, Any]) -> str:
    def cell(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return html.escape(text if len(text) < 300 else f"{text[:300]} ...")

    rows = (f"<tr><td>{html.escape(name)}</td><td>{cell(value)}</td></tr>" for name, value in record.items())
    return f"<table>{''.join(rows)}</table>"


def _settings(config: dict[str, Any]) -> str:
    groups = {name: value for name, value in config.items() if isinstance(value, dict)}
    return "".join(
        f"<details><summary>{html.escape(name)}</summary>{_table(values)}</details>" for name, values in groups.items()
    )
