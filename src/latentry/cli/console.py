"""Where verbs print tables and progress."""

from __future__ import annotations

import os
import sys

import rich.console


class Console(rich.console.Console):
    """Rich's, but where the reader has left, `head` say, the work goes on in silence."""

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if self.stderr else sys.stdout).fileno())
