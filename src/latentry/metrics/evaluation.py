"""An evaluation: the numbers of one subject with their passports, what was noted, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from latentry.errors import InputError
from latentry.files import read_json, write_json
from latentry.metrics.passport import Score

FILE = "evaluation.json"
_FORMAT = 1


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a run, or of pictures that stand in for one.

    Attributes:
        subject: the run's folder or the pictures, by name.
        data: name of the real pictures that it was measured against.
        extractor: what turned pictures into features.
        chosen: why this extractor, in words.
        scores: the numbers, each with its interval, floor and passport, in the order in which people read them.
        notes: what a reader must know of all of them, one sentence each.
    """

    subject: str
    data: str
    extractor: str
    chosen: str
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()

    def find(self, name: str) -> Score | None:
        """The score of that name, if it was measured."""
        return next((score for score in self.scores if score.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """A record that `json` can write."""
        return {
            "format": _FORMAT,
            "subject": self.subject,
            "data": self.data,
            "extractor": self.extractor,
            "chosen": self.chosen,
            "scores": [score.to_json() for score in self.scores],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Evaluation:
        """What `to_json` gave.

        Raises:
            InputError: a key is missing or unknown, or it is of another format.
        """
        names = {"format", *(each.name for each in fields(cls))}
        if set(record) != names:
            raise InputError(f"this is no evaluation: {sorted(set(record) ^ names)} missing or unknown; evaluate again")
        if record["format"] != _FORMAT:
            raise InputError(f"this evaluation has format {record['format']!r}, known is {_FORMAT}; evaluate again")
        return cls(
            **{name: record[name] for name in ("subject", "data", "extractor", "chosen")},
            scores=tuple(Score.from_json(score) for score in record["scores"]),
            notes=tuple(record["notes"]),
        )


def write_evaluation(folder: Path, evaluation: Evaluation) -> Path:
    """Keep it as `evaluation.json` in a folder; the file's path."""
    path = folder / FILE
    write_json(path, evaluation.to_json())
    return path


def read_evaluation(folder: Path) -> Evaluation | None:
    """What `write_evaluation` kept there; None where nothing was.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Evaluation.from_json(read_json(path))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
