"""The error that means: the user's input was refused. Every other exception is a fault of ours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used; the message is one line: what was received, what is allowed, what to do.

    The command line prints the message and exits with status 2. Python callers may catch it as a `ValueError`.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory, of the machine or of its accelerator, was too small."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(part in str(error) for part in words)
    )


def unknown_name(kind: str, received: str, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not in a fixed set, with the nearest allowed names first.

    Args:
        kind: what the name stands for, as it should read in the sentence, e.g. "recipe".
        received: the name that was given.
        allowed: every name that would have been accepted.
    """
    names = sorted(allowed)
    near = difflib.get_close_matches(received, names, n=3, cutoff=0.5)
    advice = f"did you mean {' or '.join(near)}?" if near else f"allowed: {', '.join(names)}"
    return InputError(f"unknown {kind} {received!r}; {advice}")
