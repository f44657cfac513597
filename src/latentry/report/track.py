"""The same log in TensorBoard, Weights & Biases or MLflow, for those who ask: `--track tensorboard`."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, Literal

from latentry.errors import InputError
from latentry.report.grid import pairs, tile
from latentry.settings.config import Config
from latentry.training.doctor import Finding
from latentry.training.observer import Observer, Pace, Pictures
from latentry.training.run import Run


def flat_numbers(record: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a log record under names such as `held_out/kl`; lists, of one value a dimension, are left out."""
    numbers: dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            numbers.update(flat_numbers(value, f"{prefix}{name}/"))
        elif isinstance(value, int | float):
            numbers[f"{prefix}{name}"] = float(value)
    return numbers


class TensorBoard:
    """Writes event files into the run's folder `tensorboard/`."""

    def __init__(self) -> None:
        self._module = _require("torch.utils.tensorboard", "tensorboard")

    def started(self, run: Run, config: Config, resumed_at: int | None) -> None:
        """Open the event file; a resumed run hides what it will write again."""
        self._writer = self._module.SummaryWriter(run.path / "tensorboard", purge_step=resumed_at)

    def advanced(self, pace: Pace) -> None:
        """Nothing between ticks."""

    def ticked(self, record: dict[str, Any], pictures: Pictures) -> None:
        """Write numbers and grids at the images seen."""
        for name, value in flat_numbers(record).items():
            self._writer.add_scalar(name, value, record["images"])
        for name, picture in grids(pictures).items():
            self._writer.add_image(name, picture, record["images"])
        self._writer.flush()

    def found(self, finding: Finding) -> None:
        """Findings are for people; the trackers have the numbers."""

    def ended(self) -> None:
        """Close the event file."""
        self._writer.close()


class WeightsAndBiases:
    """Logs to a Weights & Biases run named like the run's folder; WANDB_MODE=offline keeps it local."""

    def __init__(self) -> None:
        self._module = _require("wandb", "wandb")

    def started(self, run: Run, config: Config, resumed_at: int | None) -> None:
        """Begin or continue the run of this name."""
        self._run = self._module.init(
            project="latentry", name=run.path.name, id=run.path.name, dir=str(run.path), resume="allow",
            config=config.to_json(),
        )  # fmt: skip

    def advanced(self, pace: Pace) -> None:
        """Nothing between ticks."""

    def ticked(self, record: dict[str, Any], pictures: Pictures) -> None:
        """Log numbers and grids; the axis is images seen."""
        shown = {name: self._module.Image(p.transpose(1, 2, 0).squeeze()) for name, p in grids(pictures).items()}
        self._run.log({**flat_numbers(record), **shown}, step=record["images"])

    def found(self, finding: Finding) -> None:
        """Findings are for people; the trackers have the numbers."""

    def ended(self) -> None:
        """Finish the run."""
        self._run.finish()


class MLflow:
    """Logs to the MLflow server or folder that MLFLOW_TRACKING_URI names."""

    def __init__(self) -> None:
        self._module = _require("mlflow", "mlflow-skinny")

    def started(self, run: Run, config: Config, resumed_at: int | None) -> None:
        """Begin a run and store the settings."""
        self._run = run
        self._module.set_experiment("latentry")
        self._module.start_run(run_name=run.path.name)
        self._module.log_dict(config.to_json(), "config.json")

    def advanced(self, pace: Pace) -> None:
        """Nothing between ticks."""

    def ticked(self, record: dict[str, Any], pictures: Pictures) -> None:
        """Log the numbers at the images seen."""
        self._module.log_metrics(flat_numbers(record), step=record["images"])

    def found(self, finding: Finding) -> None:
        """Findings are for people; the trackers have the numbers."""

    def ended(self) -> None:
        """Store the newest grids and finish the run."""
        self._module.log_artifacts(str(self._run.samples), "samples")
        self._module.end_run()


def trackers(names: tuple[Literal["tensorboard", "wandb", "mlflow"], ...]) -> list[Observer]:
    """The trackers of these names.

    Raises:
        InputError: a tracker's package is not installed.
    """
    classes: dict[str, type[TensorBoard] | type[WeightsAndBiases] | type[MLflow]] = {
        "tensorboard": TensorBoard,
        "wandb": WeightsAndBiases,
        "mlflow": MLflow,
    }
    return [classes[name]() for name in names]


def grids(pictures: Pictures) -> dict[str, Any]:
    """A tick's pictures as grids, uint8 [C, H', W'], by name."""
    shown = {}
    if pictures.reconstructions is not None:
        shown["reconstructions"] = pairs(pictures.reals, pictures.reconstructions)
    if pictures.samples is not None:
        shown["samples"] = tile(pictures.samples)
    return shown


def _require(module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{package} is not installed; pip install 'latentry[track]'") from error
