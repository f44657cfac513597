"""From dataclasses to flags and back, with one-line errors."""

from __future__ import annotations

import contextlib
import io
import math
import re
import types
from collections.abc import Iterator
from typing import Any, TypeVar, get_args, get_origin

import tyro

from latentry.errors import InputError

T = TypeVar("T")

MOST_PICTURES = 100_000  # in one command: 1.2 GB at 64 pixels in colour
_PLAINER = (  # the parser's words, and what people understand
    (
        r"Error parsing (\S+): no type matching (?:\{None\}\|)?\{?(.+?)\}? could be instantiated from \[(.*?)\].*",
        r"\1 takes \2, not \3",
    ),
    (r"Error parsing (\S+): Could not find valid parse for arguments: \[(.*?)\]", r"\1 cannot take \2"),
    (r"Error parsing (\S+): invalid literal for int\(\) with base 10: (.*)", r"\1 takes a whole number, not \2"),
    (r"Error parsing (\S+): could not convert string to float: (.*)", r"\1 takes a number, not \2"),
    (r"Error parsing \w+: (\w+ \(=)", r"\1"),  # our own words
)
PICTURES = (".png", ".jpg", ".jpeg")  # endings of one picture


def parse_flags(cls: type[T], arguments: list[str], *, prog: str, description: str, default: T | None = None) -> T:
    """An instance of the dataclass `cls` from command-line arguments; nested settings become plain flags.

    Args:
        cls: each field a flag, or positional if so marked; help from the docstring under the field.
        arguments: what was typed after the verb.
        prog: how the command is called in the usage line.
        description: what `--help` says first.
        default: what applies to flags that are not given.

    Raises:
        InputError: an argument is unknown or has a value that is not allowed.
        SystemExit: `--help` was asked for and has been printed.
    """
    complaint = io.StringIO()
    settings = tyro.conf.configure(tyro.conf.OmitArgPrefixes)(cls)
    try:
        with contextlib.redirect_stderr(complaint), _plain_default_checks():
            if default is None:
                return tyro.cli(settings, args=arguments, prog=prog, description=description)
            return tyro.cli(settings, args=arguments, prog=prog, description=description, default=default)
    except SystemExit as end:
        if end.code in (0, None):
            raise
        raise InputError(f"{_one_line(complaint.getvalue())}; see {prog} --help") from None


@contextlib.contextmanager
def _plain_default_checks() -> Iterator[None]:
    """Check defaults of optional and tuple settings by hand while tyro reads the dataclasses.

    Tyro asks typeguard, whose import alone takes 0.1 s of the 0.3 s that `--help` may take; it calls the check
    non-critical itself, and the settings check their own values.
    """
    theirs = tyro._resolver.is_instance

    def is_instance(typ: Any, value: Any) -> bool:
        if isinstance(typ, types.UnionType):
            return any(is_instance(option, value) for option in get_args(typ))
        return isinstance(value, tuple) if get_origin(typ) is tuple else theirs(typ, value)

    tyro._resolver.is_instance = is_instance
    try:
        yield
    finally:
        tyro._resolver.is_instance = theirs


def _one_line(box: str) -> str:
    """Tyro's framed message as one line: what was received and what is allowed, without the frame and the help."""
    kept: list[str] = []
    for line in box.splitlines()[1:]:  # the first is the title; terminals of ASCII alone have a frame of dashes
        words = re.sub(r"^[│ ]+|[│ ]+$", "", line)
        if words.startswith(("Argument helptext", "For full helptext")):
            break
        if words and not re.match(r"[╭╰─]|-+$", words):
            kept.append(words)
    said = " ".join(kept).rstrip(".")
    for pattern, plainer in _PLAINER:
        said = re.sub(pattern, plainer, said)
    return said


def parse_seeds(text: str) -> list[int]:
    """Whole numbers in a list of numbers and ranges such as `0-15,85`.

    Raises:
        InputError: it is no such list, or a longer one than memory is good for.
    """
    ranges: list[range] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise InputError(f"seeds (={text!r}) must be numbers and ranges such as 0-15,85")
        ranges.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    check_count("seeds", sum(each.stop - each.start for each in ranges))
    return [seed for each in ranges for seed in each]


def check_count(flag: str, n: int) -> None:
    """Refuse more pictures than one command can hold in memory, before it tries.

    Raises:
        InputError: there are none, or too many.
    """
    if not 1 <= n <= MOST_PICTURES:
        raise InputError(f"{flag} (={n:,} pictures) must be from 1 to {MOST_PICTURES:,} in one command")


def parse_names(text: str | None) -> list[str] | None:
    """Names in a list such as `smiling,glasses`; None for None.

    Raises:
        InputError: it names nothing.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise InputError(f"{text!r} names nothing; write names such as smiling,glasses")
    return None if text is None else names


def parse_numbers(flag: str, text: str) -> list[float]:
    """Numbers in a list such as `-2,-1,0,1.5`.

    Raises:
        InputError: it is no such list.
    """
    try:
        return [finite_number(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{flag} (={text!r}) must be numbers, such as -2,-1,0,1,2") from None


def finite_number(text: str) -> float:
    """The number that a text says.

    Raises:
        ValueError: it says none, or one that is infinite.
    """
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def parse_values(flag: str, text: str | None) -> dict[str, float]:
    """Numbers by name in a list such as `smiling=1,glasses=0`; empty for None. A name may have commas in it.

    Raises:
        InputError: it is no such list.
    """
    refusal = InputError(f"{flag} (={text!r}) must be names with numbers, such as smiling=1,glasses=0")
    values: dict[str, float] = {}
    begun = ""  # of a name with a comma in it
    for part in text.split(",") if text is not None else ():
        name, equals, number = (begun + part).rpartition("=")
        if not equals:
            begun += f"{part},"
            continue
        name, begun = name.strip(), ""
        if name in values:
            raise InputError(f"{flag} (={text!r}) has {name} twice; give each name one number")
        try:
            values[name] = float(number)
        except ValueError:
            raise refusal from None
    if begun or "" in values:
        raise refusal
    return values
