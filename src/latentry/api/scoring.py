"""The steps of an evaluation: features, samples, and every score that applies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from latentry._version import __version__
from latentry.api.model_scores import (
    disentanglement_scores,
    likelihood_scores,
    obedience_scores,
    reconstruction_scores,
)
from latentry.api.subject import Subject, overlap_notes
from latentry.data import condition_vectors
from latentry.errors import InputError
from latentry.metrics.copies import CopyAudit, audit_copies, pixel_features
from latentry.metrics.extractors import Extractor, cached_features
from latentry.metrics.passport import Score
from latentry.metrics.quality import Sides, class_scores, copy_scores, inception_scores, quality_scores
from latentry.training.rng import rng_for

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many pictures of it are done, and of how many."""

_SEARCHED, _SEARCHED_EACH = 20_000, 4  # training pictures that are searched for copies: so many a sample, at most
_AUDITED = 1_000  # samples that are looked at, and held-out pictures beside them
_PIXELS_PX = 32  # larger pictures are searched at this side, or distances take minutes
_FEWEST_AUDITED = 12


@dataclass
class Scoring:
    """What the steps of one evaluation share."""

    subject: Subject
    extractor: Extractor
    seed: int
    say: Progress

    def __post_init__(self) -> None:
        roles = self.subject.roles
        self.notes: list[str] = []
        self.told = self._told()
        self.searched = roles.searched[: min(_SEARCHED, _SEARCHED_EACH * len(roles.reference))]
        self.real = self._of_rows("features of real pictures", roles.reference)
        self.floor = self._of_rows("features of other real pictures", roles.floor)
        self.fake = np.empty((0, self.extractor.dimension), np.float32)
        self.passport = self.extractor.passport(
            n_real=len(roles.reference),
            n_fake=len(roles.reference),
            split=roles.split,
            data=self.subject.images.fingerprint,
            seed=self.seed,
            versions={"latentry": __version__, "torch": torch.__version__, **self.extractor.versions},
        )
        self.bare = replace(self.passport, extractor="none", extractor_hash="", resize="none", n_fake=0, details={})

    def _of_rows(self, what: str, rows: np.ndarray) -> np.ndarray:
        return cached_features(self.extractor, self.subject.images, rows, lambda done: self.say(what, done, len(rows)))

    def _told(self) -> np.ndarray | None:
        """What a conditional model would be told of every real picture, [N, K]; None where there is no such thing."""
        spec = None if self.subject.model is None else self.subject.model.network.condition
        if spec is None:
            return None
        try:
            return condition_vectors(self.subject.images.labels, spec)
        except InputError as error:
            self.notes.append(f"obedience, likelihood and reconstruction were left out: {error}")
            return None

    def draw(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The generated pictures, and what was asked for."""
        samples, asked = self.subject.draw(len(self.subject.roles.reference), self.seed, self.say)
        self.notes += overlap_notes(self.subject, samples)
        self.fake = self.extractor.features(
            samples, lambda done: self.say("features of generated pictures", done, len(samples))
        )
        self.passport = replace(self.passport, n_fake=len(samples))
        return samples, asked

    def measure(self, samples: np.ndarray, asked: np.ndarray | None) -> tuple[list[Score], CopyAudit | None]:
        """Everything that applies."""
        rng = rng_for(self.seed, "evaluation")
        sides = Sides(self.real, self.fake, self.floor)
        self.say("distances", 0, 1)
        scores = quality_scores(sides, self.extractor, self.passport, rng=rng)
        scores += self._class_scores(samples, asked, sides)
        model = self.subject.model
        if model is not None and (model.network.condition is None or self.told is not None):
            scores += self._model_scores(samples, asked)
        self.say("looking for copies", 0, 1)
        audit = self._audit(samples)
        if audit is not None:
            # What is searched is not the reference of the distances.
            own = replace(self.passport, n_real=audit.n_training, n_fake=audit.n_samples)
            pixels = replace(own, extractor="pixels", extractor_hash="", resize=_pixel_resize(samples))
            scores += copy_scores(audit, {"pixels": pixels, self.extractor.name: own})
        return scores, audit

    def _class_scores(self, samples: np.ndarray, asked: np.ndarray | None, sides: Sides) -> list[Score]:
        scores: list[Score] = []
        subject, roles = self.subject, self.subject.roles
        if self.extractor.classify is not None:
            made = self.extractor.probabilities(samples)
            other = self.extractor.probabilities(subject.images.images[roles.floor])
            assert made is not None
            scores += inception_scores(made, other, self.extractor, self.passport)
        spec = None if subject.model is None else subject.model.network.condition
        if spec is not None and spec.kind == "class" and asked is not None and self.told is not None:
            told = self.told.argmax(axis=1)
            classes = (told[roles.reference], asked.argmax(axis=1), told[roles.floor])
            scores += class_scores(sides, classes, spec.names, self.extractor, self.passport)
        return scores

    def _model_scores(self, samples: np.ndarray, asked: np.ndarray | None) -> list[Score]:
        """Likelihood, reconstruction, obedience and disentanglement, on pictures that were not trained on."""
        subject, roles = self.subject, self.subject.roles
        assert subject.model is not None
        rows = np.sort(roles.held_out[:_AUDITED])
        x, told = np.ascontiguousarray(subject.images.images[rows]), None if self.told is None else self.told[rows]
        held = replace(self.bare, split=roles.held_out_split, n_real=len(rows))
        self.say("likelihood", 0, 1)
        scores = likelihood_scores(subject.model, x, told, held, self.seed)
        scores += reconstruction_scores(subject.model, x, told, held)
        judged, lines = obedience_scores(subject.model, subject.images, roles.training, samples, asked, self.passport)
        self.notes += [f"obeys least: {line}" for line in lines]
        self.say("disentanglement", 0, 1)
        everything = replace(self.bare, split="all")
        return scores + judged + disentanglement_scores(subject.model, subject.images, everything, self.seed)

    def _audit(self, samples: np.ndarray) -> CopyAudit | None:
        """Nearest training pictures of samples, in pixels and in features."""
        subject, roles = self.subject, self.subject.roles
        if subject.images.spec.points:
            return None  # a continuous plane has neighbours everywhere
        held, searched = roles.audit_held_out[:_AUDITED], self.searched
        few = min(len(samples), len(held), len(searched))
        if few < _FEWEST_AUDITED:
            self.notes.append(f"copies were not looked for: {few} pictures of a kind, and {_FEWEST_AUDITED} are needed")
            return None
        if len(roles.searched) > len(searched):
            self.notes.append(f"copies were looked for among {len(searched):,} of {len(roles.searched):,} pictures")
        made = samples[:_AUDITED]
        pictures = subject.images.images
        kinds = [made, pictures[searched], pictures[held]]
        features = [
            self.fake[: len(made)],
            self._of_rows("features of training pictures", searched),
            self._of_rows("features of held-out pictures", held),
        ]
        spaces = [
            {"pixels": pixel_features(_small(each)), self.extractor.name: found}
            for each, found in zip(kinds, features, strict=True)
        ]
        return audit_copies(*spaces)


def _small(images: np.ndarray) -> np.ndarray:
    """Pictures whose sides are whole multiples of some are averaged down to about 32 pixels."""
    step = min(images.shape[2:]) // _PIXELS_PX
    if step < 2:
        return images
    n, channels, height, width = images.shape
    height, width = height // step, width // step
    cut = images[:, :, : height * step, : width * step].reshape(n, channels, height, step, width, step)
    return np.rint(cut.mean(axis=(3, 5), dtype=np.float32)).astype(np.uint8)


def _pixel_resize(images: np.ndarray) -> str:
    step = min(images.shape[2:]) // _PIXELS_PX
    return "none" if step < 2 else f"mean of {step} x {step} pixels"
