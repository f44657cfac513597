import errno
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from latentry import files
from latentry.errors import InputError
from latentry.training import checkpoint
from latentry.training.checkpoint import (
    best_checkpoint,
    list_checkpoints,
    load_checkpoint,
    module_tensors,
    optimiser_tensors,
    prune,
    restore_module,
    restore_optimisers,
    save_checkpoint,
)


def state(images, score=None):
    return {"step": images // 10, "images": images, "seconds": 1.0, "tick": 1, "score": score}


def save(folder, images, score=None):
    return save_checkpoint(folder, {"w": torch.full((3,), float(images))}, state(images, score))


def test_round_trip(tmp_path):
    path = save(tmp_path, 120)
    tensors, record = load_checkpoint(path)
    assert torch.equal(tensors["w"], torch.full((3,), 120.0))
    assert {name: record[name] for name in state(120)} == state(120)
    assert sorted(p.name for p in path.iterdir()) == ["state.json", "state.safetensors"]


def test_newest_k_and_best_are_kept(tmp_path):
    for images, score in [(10, 5.0), (20, 1.0), (30, 3.0), (40, None), (50, 2.0)]:
        save(tmp_path, images, score)
        prune(tmp_path, keep=2)
    assert [int(path.name) for path in list_checkpoints(tmp_path)] == [20, 40, 50]
    best = best_checkpoint(tmp_path)
    assert best is not None
    assert int(best.name) == 20


def test_a_score_that_is_no_number_is_no_best_one(tmp_path):
    for images, score in [(10, 5.0), (20, 1.0), (30, math.nan), (40, math.inf)]:
        save(tmp_path, images, score)
        prune(tmp_path, keep=1)
    assert [int(path.name) for path in list_checkpoints(tmp_path)] == [20, 40]
    assert best_checkpoint(tmp_path) == list_checkpoints(tmp_path)[0]


def test_a_checkpoint_that_is_pruned_meanwhile_is_not_missed(tmp_path, monkeypatch):
    gone, kept = save(tmp_path, 10, 1.0), save(tmp_path, 20, 2.0)
    read = checkpoint.read_state

    def late(path):
        if path == gone and path.exists():
            path.rename(tmp_path / ".gone")
        return read(path)

    monkeypatch.setattr(checkpoint, "read_state", late)
    assert best_checkpoint(tmp_path) == kept


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
def test_flipped_bytes_are_noticed(tmp_path, name):
    path = save(tmp_path, 10)
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (path / name).write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)


def test_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    good = save(tmp_path, 10)
    write = files._write_synced

    def full(path: Path, content: bytes) -> None:
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_write_synced", full)
    with pytest.raises(InputError, match=r"No space left on device.*last good checkpoint is .*0010"):
        save(tmp_path, 20)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [good.name]
    assert load_checkpoint(good)[0]["w"][0] == 10


def test_a_half_written_checkpoint_is_never_listed(tmp_path):
    (tmp_path / ".000000000020.abcd").mkdir()
    (tmp_path / ".000000000020.abcd" / "state.json").write_text("{}")
    save(tmp_path, 10)
    assert [int(path.name) for path in list_checkpoints(tmp_path)] == [10]
    prune(tmp_path, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["000000000010"]


def network():
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(16, 1)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def train_some(module, optimiser, steps, rng):
    for _ in range(steps):
        x = torch.randn(8, 2, 4, 4, generator=rng).to(memory_format=torch.channels_last)
        optimiser.zero_grad()
        module(x).square().mean().backward()
        optimiser.step()


def test_optimiser_goes_on_as_if_never_stopped(tmp_path):
    """Weights in channels-last layout included: the moments must come back in the same layout."""
    torch.manual_seed(0)
    whole, rng = network(), torch.Generator().manual_seed(1)
    optimiser = torch.optim.AdamW(whole.parameters(), lr=0.01, fused=True)
    train_some(whole, optimiser, 3, rng)
    tensors = {**module_tensors("model", whole), **optimiser_tensors({"it": optimiser})}
    path = save_checkpoint(tmp_path, tensors, state(30))

    other = network()
    other_optimiser = torch.optim.AdamW(other.parameters(), lr=0.01, fused=True)
    loaded, _ = load_checkpoint(path)
    restore_module("model", other, loaded)
    restore_optimisers({"it": other_optimiser}, loaded)
    other_rng = torch.Generator()
    other_rng.set_state(rng.get_state())
    train_some(whole, optimiser, 3, rng)
    train_some(other, other_optimiser, 3, other_rng)
    for a, b in zip(whole.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_weights_of_another_model_are_refused():
    tensors = module_tensors("model", nn.Linear(2, 2))
    with pytest.raises(InputError, match="bias"):
        restore_module("model", nn.Linear(2, 2, bias=False), tensors)
    with pytest.raises(InputError, match="weight"):
        restore_module("model", nn.Linear(3, 2), tensors)
