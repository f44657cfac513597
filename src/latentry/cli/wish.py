"""The flags that say what pictures are to show, or do show, to a conditional model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from latentry.cli.flags import parse_values

if TYPE_CHECKING:
    from latentry.models.wish import Wish


@dataclass(frozen=True)
class WishFlags:
    """Of a conditional model."""

    class_name: Annotated[str | None, tyro.conf.arg(name="class", metavar="NAME")] = None
    """the class"""
    attributes: str | None = None
    """yes (1) or no (0) by name, e.g. smiling=1,glasses=0"""
    numbers: str | None = None
    """numbers by name in the data's own units, e.g. tilt=0.3"""

    def read(self) -> Wish:
        """What the flags say.

        Raises:
            InputError: they are no names with numbers.
        """
        from latentry.models.wish import Wish

        return Wish(
            self.class_name,
            parse_values("attributes", self.attributes),
            parse_values("numbers", self.numbers),
        )
