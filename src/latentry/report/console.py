"""Training as seen in a terminal: a progress bar, or plain lines where there is no terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from latentry.data import ImageSet
from latentry.report.findings import finding_lines
from latentry.settings.config import Config
from latentry.settings.specs import COLOURS
from latentry.training.doctor import Finding
from latentry.training.observer import Pace, Pictures
from latentry.training.run import Run


class ConsoleObserver:
    """Shows progress with rate and time left, and one line a tick with the losses.

    Args:
        console: where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def started(self, run: Run, config: Config, resumed_at: int | None) -> None:
        """Say where the run is kept, and begin the bar."""
        how = "training" if resumed_at is None else f"continuing from {resumed_at:,} images"
        self._console.print(f"{how} [bold]{config.recipe}[/bold] in {run.path}", highlight=False, soft_wrap=True)
        self._console.print(*_changed_pictures(config), sep="", end="", highlight=False, soft_wrap=True)
        if self._console.is_terminal:
            columns = (TextColumn("{task.percentage:>3.0f} %"), BarColumn(), TextColumn("{task.description}"))
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._task = self._progress.add_task("starting", total=1.0)
            self._progress.start()

    def advanced(self, pace: Pace) -> None:
        """Move the bar."""
        if self._progress is not None:
            text = f"{pace.images:,} images, {pace.images_per_sec:,.0f} a second, {duration(pace.seconds_left)} left"
            self._progress.update(self._task, completed=pace.progress, description=text)

    def ticked(self, record: dict[str, Any], pictures: Pictures) -> None:
        """Print the tick's losses, held-out where there are such."""
        if str(record.get("compile", "off")).startswith("on"):  # that nothing changes is for the log alone
            self._console.print(f"compile {record['compile']}", highlight=False, soft_wrap=True)
        terms = record["held_out"] or record["train"]
        shown = [
            f"{name} {value:{',.1f' if abs(value) >= 10 else '.3g'}}"
            for name, value in terms.items()
            if isinstance(value, float)
        ]
        units = [f"{terms['active_units']} active units"] if "active_units" in terms else []
        which = "held out" if record["held_out"] else "training"
        head = f"{record['images']:>11,} images  {record['images_per_sec']:>7,.0f}/s  {duration(record['seconds']):>6}"
        self._console.print(f"{head}  {which}: {', '.join(shown + units)}", highlight=False, soft_wrap=True)

    def found(self, finding: Finding) -> None:
        """Print what goes wrong and the flag to change."""
        self._console.print(*finding_lines(finding), sep="\n", markup=False, highlight=False, soft_wrap=True)

    def ended(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _changed_pictures(config: Config) -> list[str]:
    """How pictures are changed while training, where they are: sets of few pictures turn this on by themselves."""
    lines = []
    if config.augment.augment not in ("none", "auto"):  # auto stays where a family augments nothing
        policies = ", ".join(config.augment.augment_policies)
        lines.append(f"augmentation is {config.augment.augment} ({policies}); --augment none turns it off\n")
    if config.data.flip == "yes":
        lines.append("pictures are mirrored half of the time; --flip no turns it off\n")
    return lines


def data_summary(images: ImageSet) -> list[str]:
    """What was opened and what is wrong with it, in a few lines."""
    report, (channels, height, width) = images.report, images.spec.shape
    if images.spec.points:
        lines = [f"{len(images):,} points from {report.source}: {report.policy[1]}"]
    else:
        lines = [f"{len(images):,} pictures from {report.source}: {height} x {width} pixels, {COLOURS[channels]}"]
    if report.n_skipped:
        named = ", ".join(skipped.file for skipped in report.skipped[:3])
        lines.append(f"{report.n_skipped} files skipped: {named}{', ...' if report.n_skipped > 3 else ''}")
    return [*lines, *(f"note: {note}" for note in report.notes), *(f"warning: {w}" for w in report.warnings)]


def duration(seconds: float) -> str:
    """Seconds for people: `42s`, `3m10s`, `2h05m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
