"""One row of the table of presets."""

from __future__ import annotations

from dataclasses import dataclass

from latentry.settings.config import Config


@dataclass(frozen=True)
class Recipe:
    """What it is, where it comes from, its settings, and what it reached."""

    title: str
    source: str
    config: Config
    result: str
