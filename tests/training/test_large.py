"""Memory does not grow with the data set: files of many gigabytes, all of them holes, from the file to the step."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from latentry.data import open_images
from latentry.training import stream

ON_LINUX = Path("/proc/self/status").is_file()
TRAIN = """
import sys
from pathlib import Path
from latentry.api.assemble import prepare, settle
from latentry.api.opening import open_config_images
from latentry.api.trial import peak_memory
from latentry.models.own import OwnNetworks
from latentry.ranks import Ranks
from latentry.settings.recipes import find_recipe
recipe = find_recipe("vae").config.with_settings(width=4, latent=2, batch=32, device="cpu", images="1k")
for file in sys.argv[1:]:
    config = recipe.with_settings(data=file)
    images = open_config_images(config)
    loop = prepare(settle(config, images), images, OwnNetworks(), Path(file).parent / "runs", [], Ranks())
    for _ in range(4):
        loop._step(0.5)
    print(peak_memory())
"""


def write_sparse(path: Path, n: int) -> None:
    """So many black pictures of 64 x 64, of which the disk holds the header."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (n, 3, 64, 64)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + n * 3 * 64 * 64)


@pytest.mark.skipif(not ON_LINUX, reason="memory is read from /proc")
def test_ten_million_pictures_take_no_more_memory_than_one_million(tmp_path: Path) -> None:
    """12 GB twice, as a second run takes more than the first, then 123 GB; a picture has a number of 8 bytes."""
    fewer, more = tmp_path / "fewer.npy", tmp_path / "more.npy"
    write_sparse(fewer, 1_000_000)
    write_sparse(more, 10_000_000)
    command = [sys.executable, "-c", TRAIN, *map(str, (fewer, fewer, more))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    before, after = (int(line) for line in done.stdout.split()[-2:])
    assert after - before < 16 * 9_000_000


def test_what_was_read_of_a_file_is_let_go_from_time_to_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every eight pictures here; the pictures are the same, and a set in memory is left alone."""
    let_go: list[np.ndarray] = []
    monkeypatch.setattr(stream, "HELD_BYTES", 8 * stream.FAULT_BYTES - 1)
    monkeypatch.setattr(stream, "let_go", let_go.append)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), np.uint8)
    np.save(tmp_path / "some.npy", pixels)
    mapped = open_images(tmp_path / "some.npy", cache=tmp_path / "cache")
    for images, times in ((mapped, 5), (open_images(pixels), 0)):
        pictures = stream.PictureStream(images, np.arange(40), torch.device("cpu"))
        taken = [pictures.take(np.arange(start, start + 4)).x for start in range(0, 40, 4)]
        read = (127.5 * (torch.cat(taken) + 1)).round().to(torch.uint8).numpy()
        np.testing.assert_array_equal(read, pixels)
        assert len(let_go) == times
        let_go.clear()
