"""`evaluation.html`: the page of an evaluation that belongs to no run."""

from __future__ import annotations

import html
from pathlib import Path

from latentry.files import write_file
from latentry.metrics.evaluation import Evaluation
from latentry.report.document import document
from latentry.report.evaluation import evaluation_section


def write_evaluation_page(folder: Path, evaluation: Evaluation) -> Path:
    """Write the page beside the record that it shows; its path."""
    title = f"{evaluation.subject} against {evaluation.data}"
    page = document(title, f"<h1>{html.escape(title)}</h1>{evaluation_section(folder)}")
    path = folder / "evaluation.html"
    write_file(path, page)
    return path
