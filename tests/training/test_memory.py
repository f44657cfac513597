"""Memory that stays with the process: pages that the system does not have to clear again."""

import platform
import resource

import torch

from latentry.training.memory import freed_memory_kept

N_BYTES = 64 << 20  # more than glibc keeps by itself
TIMES = 20


def new_pages(times: int) -> int:
    """How many the system hands out while as much memory is taken and freed so often."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(N_BYTES, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_memory_is_used_again_inside_and_given_back_behind() -> None:
    pages = N_BYTES // resource.getpagesize()
    with freed_memory_kept():
        new_pages(TIMES)  # the heap finds room that fits: how soon depends on what lies in it
        inside = new_pages(TIMES)
    behind = new_pages(1)
    if platform.libc_ver()[0] == "glibc":
        assert inside < TIMES * pages / 10
        assert behind > pages / 2
