"""Numbers with a passport: everything that can be measured of a run, or of pictures that stand in for one.

Half of what is measured is a reference: real pictures, and as many other real pictures in the generator's place, whose
scores are the floor below which no generator can be expected to come.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from latentry.api.scoring import Progress, Scoring
from latentry.api.subject import Subject, open_subject
from latentry.errors import InputError
from latentry.files import check_folder, check_output, make_folder
from latentry.metrics.evaluation import Evaluation, write_evaluation
from latentry.metrics.extractors import export_statistics, import_statistics, open_extractor
from latentry.metrics.quality import statistics_score
from latentry.report.evaluation import COPIES, copies_sheet
from latentry.report.evaluation_page import write_evaluation_page
from latentry.report.grid import save_png
from latentry.report.page import write_page
from latentry.settings.data import SMALL_DATA
from latentry.training.device import pick_device

N = 5_000


def evaluate(
    run_or_pictures: Any,
    data: Any = None,
    *,
    extractor: str = "auto",
    n: int = N,
    seed: int = 0,
    weights: Path | str | None = None,
    statistics: Path | str | None = None,
    export: Path | str | None = None,
    size: int | tuple[int, int] | None = None,
    device: str = "cpu",
    out: Path | str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a run, or pictures; a run keeps the result as `evaluation.json`, in its report, and the closest pairs.

    Args:
        run_or_pictures: a run folder, a model folder, a trained model, or pictures as `open_images` takes them.
        data: the real pictures; None for those that the run was trained on.
        extractor: auto, inception, dinov2, probe or random; auto takes the best one that is at hand.
        n: generated pictures, against as many real ones; at most half of the real ones.
        seed: of the samples and of every choice.
        weights: of inception (a file) or dinov2 (a folder).
        statistics: an .npz of mean and covariance, ours or pytorch-fid's, to measure a Frechet distance to as well.
        export: where to write such a file of the reference.
        size: side, or (height, width), at which pictures are measured that stand in for a run; None for their own.
        device: where a model samples, and where inception and dinov2 compute: cpu, cuda, mps or auto.
        out: a folder to write to; None for the run's own, and nowhere for pictures.
        progress: told how far it is.

    Returns:
        The scores with their passports, and notes.

    Raises:
        InputError: there is nothing to measure or nothing to measure against; the message says what to do.
    """
    if n < 2:
        raise InputError(f"n (={n}) must be at least 2; 5,000 are usual here, 50,000 in papers")
    if export is not None:
        check_output(Path(export), ".npz")
    say = progress or (lambda what, done, total: None)
    say("opening the pictures", 0, 1)
    subject = open_subject(run_or_pictures, data, n=n, seed=seed, size=size, device=device)
    folder = subject.folder if out is None else Path(out)
    if folder is not None:
        check_folder(folder)
    where = pick_device(device)
    what, chosen = open_extractor(extractor, subject.images, subject.roles.training, _path(weights), device=where)
    known = None if statistics is None else import_statistics(Path(statistics), what)
    work = Scoring(subject, what, seed, say)
    samples, asked = work.draw()
    scores, audit = work.measure(samples, asked)
    if known is not None:
        theirs, data_print = known
        passport = dataclasses.replace(work.passport, data=data_print, split="imported", n_real=theirs.n or 0)
        scores.append(statistics_score(theirs, work.fake, what, passport))
    if export is not None:
        export_statistics(Path(export), work.real, what, subject.images.fingerprint)
    notes = (*subject.notes, *work.notes, *_small_data(subject, len(samples)))
    evaluation = Evaluation(subject.name, subject.images.name, what.name, chosen, tuple(scores), notes)
    sheet = None if audit is None else copies_sheet(audit, samples, subject.images.images, work.searched)
    if folder is not None:
        _keep(subject, evaluation, sheet, folder)
    return evaluation


def _small_data(subject: Subject, n_fake: int) -> tuple[str, ...]:
    """What few pictures do not show."""
    n, n_real = len(subject.images), len(subject.roles.reference)
    if n >= SMALL_DATA or subject.images.spec.points:
        return ()
    return (
        f"small data, {n:,} real pictures, so {n_real:,} against {n_fake:,}: distances are mostly bias (look at their "
        "floor); none may be set beside a published one; `latentry compare` says which runs can be ranked; and that no "
        f"copy was found rules out shares above {3 / max(1, n_fake):.1%} alone",
    )


def _keep(subject: Subject, evaluation: Evaluation, sheet: np.ndarray | None, folder: Path) -> None:
    """Write the record, the closest pairs and the page, into the run or a folder."""
    make_folder(folder)
    if sheet is not None:
        save_png(folder / COPIES, sheet)
    write_evaluation(folder, evaluation)
    if subject.run is not None and folder == subject.run.path:
        write_page(subject.run)
    else:
        write_evaluation_page(folder, evaluation)


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)
