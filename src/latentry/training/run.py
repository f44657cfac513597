"""A run on disk: a numbered folder that is never overwritten, and what stands in it."""

from __future__ import annotations

import json
import os
import platform
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from latentry._version import __version__
from latentry.errors import InputError
from latentry.files import read_json, write_file, write_json
from latentry.settings.config import LENGTHS, Config, config_from_json


@dataclass(frozen=True)
class Run:
    """A run's folder, and the paths in it."""

    path: Path

    @property
    def config_file(self) -> Path:
        """Every resolved setting."""
        return self.path / "config.json"

    @property
    def data_file(self) -> Path:
        """The inspection report and the fingerprint."""
        return self.path / "data.json"

    @property
    def log_file(self) -> Path:
        """One JSON object a tick."""
        return self.path / "log.jsonl"

    @property
    def samples(self) -> Path:
        """Grids as PNG, named by images seen."""
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        """The last k and the best."""
        return self.path / "checkpoints"

    @property
    def metrics_file(self) -> Path:
        """What was measured at the end; not every run has one."""
        return self.path / "metrics.json"

    def read_metrics(self) -> dict[str, Any]:
        """What was measured, by name, each with lines for people under "said"; empty where nothing was."""
        return read_json(self.metrics_file) if self.metrics_file.is_file() else {}

    @property
    def model(self) -> Path:
        """What `load()` reads; there once the run has ended."""
        return self.path / "model"

    def read_config(self) -> Config:
        """The settings that the run was started, or last continued, with."""
        return config_from_json(read_json(self.config_file))

    @property
    def ended(self) -> bool:
        """Whether `model/` is of the run's whole length; no more, once the run goes on for longer."""
        try:
            kept, own = read_json(self.model / "config.json")["config"], read_json(self.config_file)
        except InputError:
            return False
        return all(kept["training"][length] == own["training"][length] for length in LENGTHS)

    def read_log(self) -> list[dict[str, Any]]:
        """The log's records, oldest first; a last line that a kill cut short is left out."""
        if not self.log_file.exists():
            return []
        records = []
        for line in self.log_file.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return records

    def append_log(self, record: dict[str, Any]) -> None:
        """Add one record to the log."""
        with self.log_file.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def rewind_log(self, images: int) -> None:
        """Drop the records of after `images` images: a resumed run writes them anew."""
        kept = [record for record in self.read_log() if record["images"] <= images]
        write_file(self.log_file, "".join(json.dumps(record) + "\n" for record in kept).encode())


def create_run(out: Path, config: Config, data_name: str, report: dict[str, Any], command: list[str]) -> Run:
    """A new folder in `out`, numbered after those that are there, with its config, environment and data report.

    Raises:
        InputError: `out` cannot be written to.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{config.recipe}-{data_name}").strip("-.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        run = Run(_claim_number(out, name))
        run.samples.mkdir()
        run.checkpoints.mkdir()
    except OSError as error:
        raise InputError(f"cannot write to --out {out}: {error.strerror}") from error
    write_json(run.config_file, config.to_json())
    write_json(run.path / "environment.json", environment(command))
    write_json(run.data_file, report)
    return run


def find_own_run(out: Path, config: Config) -> Run | None:
    """The run of `config` in `out` that this very torchrun job made before its workers were started again, if any.

    A job that is told to, torchrun starts again when a process has died; a scheduler may do so with the whole job, and
    --rdzv-id then says that it is the same. A run that such a job had finished is not begun again either, but a
    scheduler's second job of that name begins a new one.
    """
    name = elastic_id()
    if name is None:
        return None
    for file in sorted(out.glob("*/environment.json"), reverse=True):
        run = Run(file.parent)
        if not run.config_file.is_file() or not run.data_file.is_file():
            continue  # killed while it was made
        if read_json(file).get("torchelastic") == name and run.read_config() == config:
            return run if was_restarted() or not run.model.is_dir() else None
    return None


def elastic_id() -> str | None:
    """What torchrun calls this job, through all its restarts; None where it did not start the process."""
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    # Without --rdzv-id every job has the name "none"; the process that starts the workers again is always the same.
    return f"{platform.node()}-{os.getppid()}" if name == "none" else name


def was_restarted() -> bool:
    """Whether torchrun had started this job's workers before."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def open_run(path: Path) -> Run:
    """The run in a folder.

    Raises:
        InputError: there is no such folder, or no run in it.
    """
    if not path.is_dir():
        raise InputError(f"no run at {path}: there is no such folder; `latentry runs` lists the runs here")
    run = Run(path)
    if not run.config_file.is_file() or not run.checkpoints.is_dir():
        raise InputError(f"{path} is not a run: it lacks config.json or checkpoints/; give a folder that `train` made")
    return run


def environment(command: list[str]) -> dict[str, Any]:
    """What the run depended on beyond its settings: versions, machine, command, git state."""
    import torch

    packages = ("torch", "numpy", "pillow", "safetensors", "scikit-learn")
    return {
        "latentry": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "packages": {name: metadata.version(name) for name in packages},
        "cpu_threads": torch.get_num_threads(),
        "cuda": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "mps": torch.backends.mps.is_available(),
        "command": command,
        "torchelastic": elastic_id(),
        "git": _git_state(),
    }


def _claim_number(out: Path, name: str) -> Path:
    """Make the folder of the next free number; several processes may do so at once."""
    while True:
        taken = [int(match[1]) for path in out.iterdir() if (match := re.match(r"(\d{5,})-", path.name))]
        number = max(taken, default=-1) + 1
        folder = out / f"{number:05d}-{name}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        # Another process may have made the same number under another name in between: whoever sees both steps aside.
        if len([path for path in out.iterdir() if path.name.startswith(f"{number:05d}-")]) == 1:
            return folder
        folder.rmdir()
        time.sleep(random.SystemRandom().uniform(0, 0.05))


def _git_state() -> dict[str, Any] | None:
    """Commit and cleanliness of the working folder, where it is a git checkout."""
    commands = (["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain"])
    try:
        commit, status = (subprocess.run(c, capture_output=True, text=True, timeout=10) for c in commands)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if commit.returncode != 0:
        return None
    return {"commit": commit.stdout.strip(), "clean": not status.stdout.strip()}


def command_line() -> list[str]:
    """The command that this process was started with."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
