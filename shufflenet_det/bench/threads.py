"""How many threads a tool computes with, and how they wait: set by the tool, not inherited."""

from __future__ import annotations

import os
import sys

import torch

WAITS = {
    'active': dict(OMP_WAIT_POLICY='active', GOMP_SPINCOUNT='1000000', KMP_BLOCKTIME='3'),
    'passive': dict(OMP_WAIT_POLICY='passive', GOMP_SPINCOUNT='0', KMP_BLOCKTIME='0'),
}
"""How threads wait for the next part of a network -> the variables of OpenMP's libraries.

``active`` threads spin for some milliseconds and then sleep, so that they neither sleep between two
layers nor take the cores of what is measured next; ``passive`` ones sleep at once.
"""


def set_threads(threads: int, wait: str) -> None:
    """Compute with so many threads that wait in this way.

    OpenMP reads its variables once, when it is loaded: a tool that was started with others starts
    itself again with these. Within another program only the number of threads is set.

    Args:
        threads: At least 1.
        wait: A key of :data:`WAITS`.
    """
    wanted = variables(threads, wait)
    is_tool = sys.orig_argv[-len(sys.argv) :] == sys.argv
    if is_tool and any(os.environ.get(name) != value for name, value in wanted.items()):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], dict(os.environ, **wanted))
    torch.set_num_threads(threads)


def variables(threads: int, wait: str) -> dict[str, str]:
    """What a process has to be started with, for so many threads that wait in this way."""
    return WAITS[wait] | dict(OMP_NUM_THREADS=str(threads))


def wait_policy() -> str | None:
    """The key of :data:`WAITS` that this process was started with; None where it is none."""
    for wait, variables in WAITS.items():
        if all(os.environ.get(name) == value for name, value in variables.items()):
            return wait
    return None
