"""How a run takes its steps: as they are written, compiled, or as CUDA graphs; chosen once, and kept at resume."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import torch

from latentry.errors import InputError
from latentry.files import read_json, write_json
from latentry.models.contract import Batch, Method
from latentry.ranks import Ranks
from latentry.settings.training import TrainingSettings
from latentry.training.recording import Recorded, StaticStep, Terms, in_precision, leaving_no_trace
from latentry.training.run import Run

if TYPE_CHECKING:
    from latentry.training.compile import Compiled
    from latentry.training.graphs import GraphedStep

Kind = Literal["plain", "compiled", "graphs"]

# On a CPU compiling takes 13 s to 32 s, and saves 11 to 29 % of a fully connected network's steps. That is not
# measured run by run, though it could be: equal runs would then differ in their bits with the machine's mood.
_LONG_SEC = 300.0
_LONG_STEPS = 100_000  # where a run is counted in images: as long, in steps of 3 ms


@dataclass(frozen=True)
class Choice:
    """How steps are taken on a device, from which one on, and why."""

    kind: Kind
    step: int = 1  # the first one is always plain: it makes the optimisers' state
    device: str = ""
    why: str = ""


class Stepper:
    """Takes a method's steps.

    Args:
        run: remembers the choice.
        method: what is trained.
        training: says what is wanted: auto, on or off.
        ranks: who shares a step.
    """

    def __init__(self, run: Run, method: Method, training: TrainingSettings, ranks: Ranks) -> None:
        self._method, self._training = method, training
        self._file = run.path / "compile.json"
        self._fast: Compiled | GraphedStep | None = None
        self._note: str | None = None
        self._taken = 0
        self._choice: Choice | None = None
        if training.compile == "on":
            self._choice = Choice("compiled")
        elif training.compile == "off" or _why_plain(training, ranks) is not None:
            self._choice = Choice("plain")
        elif self._file.is_file():
            self._choice = Choice(**read_json(self._file))

    def __call__(self, batch: Batch, rng: torch.Generator, progress: float, at_step: int, left: float | int) -> Terms:
        """One step.

        Args:
            batch, rng, progress: as `Method.step` takes them; progress is a number.
            at_step: counted from 0.
            left: of the run: so many steps (a whole number), or seconds.
        """
        choice = self._choice
        if choice is None or choice.device not in ("", batch.x.device.type):
            choice = self._choose(batch, at_step, left) if self._taken else Choice("plain")
        if choice.kind != "plain" and at_step >= choice.step:
            if self._fast is None:
                self._fast = self._made_again(choice.kind, batch)
            return self._fast(batch, rng, progress)
        with in_precision(self._training.precision, batch.x.device):
            terms = self._method.step(batch, rng, progress)
        self._taken += 1
        return terms

    def take_note(self) -> dict[str, str]:
        """What was chosen, for the log, once."""
        note, self._note = self._note, None
        return {} if note is None else {"compile": note}

    def _choose(self, batch: Batch, at_step: int, left: float | int) -> Choice:
        """By the device, the networks, and how much is left of the run; nothing that is trained moves."""
        device = batch.x.device.type
        kind, why = self._worth_it(device, left)
        if kind != "plain":
            try:
                self._fast = self._made(kind, batch)
            except Exception as error:  # whatever a compiler or a capture stumbles over: the plain step is there
                kind, why = "plain", f"off: {_cannot(kind)} ({_first_line(error)})"
        self._choice, self._note = Choice(kind, at_step, device, why), why
        write_json(self._file, asdict(self._choice))
        return self._choice

    def _worth_it(self, device: str, left: float | int) -> tuple[Kind, str]:
        if device == "cuda":
            return "graphs", "on: steps are CUDA graphs"
        if device != "cpu":
            return "plain", f"off: not tried on {device}"
        if any(weight.dim() > 2 for weight in self._method.module.parameters()):
            return "plain", "off: on a CPU it saves next to nothing where convolutions take the time"
        if left < (_LONG_STEPS if isinstance(left, int) else _LONG_SEC):
            return "plain", "off: what is left of the run is too short to win back the time that it takes"
        return "compiled", "on: fully connected networks, and a long run"

    def _made(self, kind: Kind, batch: Batch) -> Compiled | GraphedStep:
        """A step that is repeated without Python, found to do what the plain one does.

        Raises:
            RuntimeError: there is none, or it does not.
        """
        from latentry.training import compile as compiling

        fast: Compiled | GraphedStep = self._graphed(batch) if kind == "graphs" else self._compiled(batch)
        if not compiling.apart(fast) <= 1:
            raise RuntimeError("it does not do what the plain step does")
        return fast

    def _made_again(self, kind: Kind, batch: Batch) -> Compiled | GraphedStep:
        """What was chosen earlier, or is asked for."""
        try:
            return self._made(kind, batch)
        except RuntimeError as error:
            raise InputError(f"{_cannot(kind)} here ({_first_line(error)}); use compile=off") from error

    def _compiled(self, batch: Batch) -> Compiled:
        from latentry.training import compile as compiling

        with leaving_no_trace(self._method):
            return compiling.Compiled(Recorded(StaticStep(self._method, batch, self._training.precision)))

    def _graphed(self, batch: Batch) -> GraphedStep:
        from latentry.training.graphs import GraphedStep, cuda_capture

        with leaving_no_trace(self._method):
            return GraphedStep(StaticStep(self._method, batch, self._training.precision), cuda_capture())


def check_compile(training: TrainingSettings, ranks: Ranks) -> None:
    """Refuse to compile what cannot be.

    Raises:
        InputError: compile=on where a step is shared among ranks or passes.
    """
    if training.compile == "on" and (why := _why_plain(training, ranks)) is not None:
        raise InputError(f"compile=on cannot be had with {why}; use compile=auto or off")


def _why_plain(training: TrainingSettings, ranks: Ranks) -> str | None:
    """What in the settings keeps a step from being recorded; None for nothing."""
    if ranks.world > 1:
        return f"{ranks.world} processes, which talk to one another within a step"
    return None if training.micro_batch is None else f"micro-batch (={training.micro_batch})"


def _cannot(kind: Kind) -> str:
    return f"this step cannot be {'a CUDA graph' if kind == 'graphs' else 'compiled'}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:160]
