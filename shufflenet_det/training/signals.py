"""Requests to stop: the signals by which schedulers and terminals announce an end."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.util import register_after_fork

import torch
from mmengine.dist import all_reduce, is_distributed
from torch.utils.data._utils.signal_handling import _remove_worker_pids
from torch.utils.data._utils.worker import _worker_loop
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""From schedulers, a keyboard, a lost terminal, and Slurm's warning before the end of the time."""

REPEATED = 5.0
"""Seconds: launchers pass on what the whole group got; a later signal ends the process at once."""

DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


def exit_code(number: int = signal.SIGTERM) -> int:
    """The exit code of a training that was stopped by a signal."""
    return 128 + number


class StopRequest:
    """Notes the signals of STOPPING that nobody else handles, or ignores as nohup does.

    Only the main thread may handle signals: a training in another one is ended by them. So is a
    forked process: Python would call a handler only once what it waits for has come. Data workers
    go on as long as their training does.
    """

    def __init__(self) -> None:
        self._asked = 0  # number of the signal
        self._since = 0.0
        self._owner = os.getpid()
        self._previous: dict[int, object] = {}
        if threading.current_thread() is threading.main_thread():
            left = [number for number in STOPPING if signal.getsignal(number) in DEFAULTS]
            self._previous = {number: signal.signal(number, self._note) for number in left}
            register_after_fork(self, StopRequest._leave_child)  # forgotten with this object
            atexit.unregister(_end_children)
            atexit.register(_end_children)

    def _note(self, number: int, frame: object) -> None:
        if os.getpid() != self._owner:  # a forked process that has not removed it yet
            os._exit(exit_code(number))
        if not self._asked:
            self._asked, self._since = number, time.monotonic()
        elif time.monotonic() - self._since > REPEATED:
            _end_children()
            signal.signal(number, signal.SIG_DFL)
            os.kill(self._owner, number)

    def _leave_child(self) -> None:
        if getattr(multiprocessing.current_process(), '_target', None) is _worker_loop:
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        self.remove()

    def pending(self) -> int:
        """The signal that any rank got, or 0; every rank must call it equally often."""
        if not is_distributed():
            return self._asked
        backend = torch.distributed.get_backend()
        flag = torch.tensor(self._asked, device='cuda' if backend == 'nccl' else 'cpu')
        all_reduce(flag, 'max')
        return int(flag)

    def remove(self) -> None:
        """Handle signals as before."""
        while self._previous:
            signal.signal(*self._previous.popitem())


def end_workers(batches: object) -> None:
    """End the data workers of a loader's iterator, if it has any.

    Left to Python's collector, its queues are closed before it tells its workers, which block the
    signal that would end them: they stay, and each is waited for ten seconds.
    """
    if isinstance(batches, _MultiProcessingDataLoaderIter) and not batches._shutdown:
        _remove_worker_pids(id(batches))  # else torch raises an error for each that ends
        batches._worker_pids_set = False
        for worker in batches._workers:
            worker.kill()
        batches._shutdown_workers()


def _end_children() -> None:
    """What Python does with daemons when it ends, for those too that block its signal."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler raises for each of them
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
