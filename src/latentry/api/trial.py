"""A short real run in a process of its own: how fast its steps are, what else takes time, how much memory it needs.

The process is the one that `latentry train` would be, with all that it loads, so its peak is that of the real run; and
what one trial leaves behind in memory does not count for the next.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentry.errors import InputError, is_out_of_memory
from latentry.files import read_json
from latentry.settings.config import Config, config_from_json

if TYPE_CHECKING:
    from latentry.data import ImageSet

_TICKS = 3  # the first warms up, the second is measured whole, the third ends the run
_N_PROBED = 2_000


@dataclass(frozen=True)
class Trial:
    """What was measured of one size and batch.

    Attributes:
        height, width: of a picture, in pixels.
        batch: pictures in one batch.
        micro_batch: pictures in one pass; None for the whole batch.
        images_per_step: pictures that one step reads; several batches where the critic takes several.
        images_per_sec: while training, between ticks.
        start_sec: from the start of the process to the first step.
        tick_sec: of one tick: grids, scores, a checkpoint.
        finish_sec: from the last tick to the end of the process, after so short a run; `finish_seconds` is for others.
        images: that it trained on.
        probe_sec: of a probe of what a conditional model is told, for each picture that it is shown; 0 without one.
        fits_samplers: whether the end fits samplers to latents.
        peak_bytes: of the process's memory, or of the accelerator's; see `peak_after` for longer runs.
        mapped_bytes: of pictures that lie in a memory-mapped file, and count as the process's once they are read.
        read_bytes: of these come in when one picture is read.
        free_bytes: what was free of it before.
        n_train: training pictures.
        native_px: the shorter side that most of the pictures have in their files.
        device: where it trained: cpu, cuda, mps.
        fits: False where memory ran out; then only `height`, `width` and `batch` mean anything.
    """

    height: int
    width: int
    batch: int
    images_per_step: int = 0
    images_per_sec: float = 0.0
    start_sec: float = 0.0
    tick_sec: float = 0.0
    finish_sec: float = 0.0
    images: int = 0
    probe_sec: float = 0.0
    fits_samplers: bool = False
    peak_bytes: int = 0
    mapped_bytes: int = 0
    read_bytes: int = 0
    free_bytes: int = 0
    micro_batch: int | None = None
    n_train: int = 0
    native_px: int = 0
    device: str = "cpu"
    fits: bool = True

    def peak_after(self, images: int) -> int:
        """The most memory of a run of so many images, in bytes: it reads more of its pictures than the trial did."""
        read, then = (min(self.mapped_bytes, n * self.read_bytes) for n in (self.images, images))
        return self.peak_bytes + max(0, then - read)

    def finish_seconds(self, images: int) -> float:
        """What the end of a run of so many images takes: it fits to more latents, and shows more to its probe."""
        from latentry.api.measure import probe_shown
        from latentry.training.finish import n_latents

        seconds, n = self.finish_sec, max(1, self.n_train)
        if self.fits_samplers:
            seconds *= min(n_latents(images), n) / min(n_latents(self.images), n)
        if self.probe_sec:
            seconds += self.probe_sec * n * max(1, round(probe_shown(images) / n))  # whole epochs
        return seconds


def try_out(config: Config, seconds: float) -> Trial:
    """Train as the config says for so many seconds, in a process of its own, and measure.

    Args:
        config: the settings; its length of training is not read.
        seconds: of training; starting and finishing come on top.

    Raises:
        InputError: what training itself would refuse.
    """
    request = json.dumps({"config": config.to_json(), "seconds": seconds})
    command = [sys.executable, "-c", "from latentry.api.trial import main; main()"]
    began = time.monotonic()
    done = subprocess.run(command, input=request, capture_output=True, text=True)
    whole = time.monotonic() - began
    lines = done.stdout.splitlines()
    answer = json.loads(lines[-1]) if done.returncode == 0 and lines else {}
    if "refused" in answer:
        raise InputError(answer["refused"])
    if "out_of_memory" in answer or done.returncode in (-9, 137):  # the system ends the process that asks for too much
        size = config.data.size_px or 0
        height, width = (size, size) if isinstance(size, int) else size
        return Trial(height, width, config.training.batch, micro_batch=config.training.micro_batch, fits=False)
    if not answer:
        raise RuntimeError(f"a trial run of {config.recipe} ended with status {done.returncode}: {done.stderr[-2000:]}")
    start = whole - answer.pop("known_sec")  # with the interpreter's own start and end
    return Trial(**answer, start_sec=max(0.0, start))


def main() -> None:
    """What the process does: read the request, train, print what was measured as one line of JSON."""
    request = json.loads(sys.stdin.read())
    try:
        answer = _measure(config_from_json(request["config"]), request["seconds"])
    except InputError as error:
        answer = {"refused": str(error)}
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        answer = {"out_of_memory": str(error)}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


class _Watch:
    """An observer that remembers when what happened."""

    def __init__(self) -> None:
        self.began = self.last_tick = self.ended_at = 0.0

    def started(self, run: Any, config: Any, resumed_at: int | None) -> None:
        self.began = time.monotonic()

    def advanced(self, pace: Any) -> None:
        """Nothing between ticks."""

    def ticked(self, record: dict[str, Any], pictures: Any) -> None:
        self.last_tick = time.monotonic()

    def found(self, finding: Any) -> None:
        """What goes wrong in so short a run means nothing."""

    def ended(self) -> None:
        self.ended_at = time.monotonic()


def _measure(config: Config, seconds: float) -> dict[str, Any]:
    """One run in a temporary folder, as a record of `Trial`'s fields and the seconds that it trained."""
    import torch

    from latentry.api.opening import open_config_images
    from latentry.api.train import train
    from latentry.training.device import pick_device
    from latentry.training.stream import FAULT_BYTES, HELD_BYTES

    device = pick_device(config.training.device)
    on_cuda = device.type == "cuda"
    free = torch.cuda.mem_get_info(device)[0] if on_cuda else free_memory()
    images = open_config_images(config)
    began = time.monotonic()
    probe_sec = _probe_seconds(config, images)
    probing = time.monotonic() - began
    watch = _Watch()
    with tempfile.TemporaryDirectory(prefix="latentry-trial-") as folder:
        short = config.with_settings(budget=f"{seconds:.3f}s", ticks=_TICKS, checkpoints=_TICKS, keep=1, track=())
        result = train(short, images, out=Path(folder), observers=[watch])
        log, facts = result.log, read_json(result.run.data_file)
    last, pictures = log[-1], images.images
    mapped = not on_cuda and isinstance(pictures, np.memmap)
    return {
        "height": images.spec.height,
        "width": images.spec.width,
        "batch": config.training.batch,
        "micro_batch": config.training.micro_batch,
        "images_per_step": last["images"] // last["step"],
        "images_per_sec": steady_rate(log),
        "tick_sec": tick_seconds(log),
        "finish_sec": watch.ended_at - watch.last_tick,
        "known_sec": watch.ended_at - watch.began + probing,
        "images": last["images"],
        "probe_sec": probe_sec,
        "fits_samplers": "sampler" in config.groups and config.sampler.sampler != "prior",
        "peak_bytes": torch.cuda.max_memory_reserved(device) if on_cuda else peak_memory(),
        "mapped_bytes": min(pictures.nbytes, HELD_BYTES) if mapped else 0,
        "read_bytes": max(pictures[:1].nbytes, FAULT_BYTES),
        "free_bytes": free,
        "n_train": facts["n_train"],
        "native_px": min((min(size.width, size.height) for size in images.report.sizes[:1]), default=0),
        "device": device.type,
    }


def _probe_seconds(config: Config, images: ImageSet) -> float:
    """What a probe takes for each picture that it is shown; 0 where nothing is told. The trial itself finds one."""
    from latentry.api.opening import split_config_rows
    from latentry.data import condition_spec, condition_vectors
    from latentry.metrics.probe import probe_for, train_probe

    labels = images.labels
    rows, _ = split_config_rows(images, config)
    told = condition_spec(labels and labels.take(rows), config.condition, images.name)
    if told is None or labels is None:
        return 0.0
    probe_for(images, told, n_shown=1, seed=0)
    some = np.linspace(0, len(images) - 1, min(len(images), _N_PROBED)).astype(np.int64)
    pixels, targets = np.asarray(images.images[some]), condition_vectors(labels.take(some), told)
    began = time.monotonic()
    train_probe(pixels, targets, told.kind, told.names, epochs=1, seed=0)
    return (time.monotonic() - began) / len(some)


def steady_rate(log: list[dict[str, Any]]) -> float:
    """Images a second between ticks, without the first, in which everything is done for the first time."""
    rates = [record["images_per_sec"] for record in log[1:] or log]
    return len(rates) / sum(1 / rate for rate in rates)


def tick_seconds(log: list[dict[str, Any]]) -> float:
    """What the last tick but one took, beyond steps; 0 where steps are so slow that there was one tick only."""
    if len(log) < 2:
        return 0.0
    before, after = log[-2:]
    stepped = (after["images"] - before["images"]) / after["images_per_sec"]
    return max(0.0, after["seconds"] - before["seconds"] - stepped)


def peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    try:  # of this program alone; getrusage counts the parent too, which was this process before it became itself
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        try:
            import resource
        except ImportError:  # Windows
            return 0
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most


def free_memory() -> int:
    """Memory of this machine that a new process can have, in bytes; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" not in names:
            return 0
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4  # the rest is the system's
