"""`evaluation.html`: the page of an evaluation that belongs to no run."""

from __future__ import annotations

import html
from pathlib import Path

from latentry.files import write_file
from latentry.metrics.evaluation import Evaluation
from latentry.report.evaluation import evaluation_section
from latentry.report.page import _STYLE


def write_evaluation_page(folder: Path, evaluation: Evaluation) -> Path:
    """Write the page beside the record that it shows; its path."""
    title = f"{evaluation.subject} against {evaluation.data}"
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{html.escape(title)}</h1>{evaluation_section(folder)}</body></html>\n"
    )
    path = folder / "evaluation.html"
    write_file(path, page.encode())
    return path
