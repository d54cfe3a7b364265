import multiprocessing
import os
import signal
import sys
import threading

import pytest
import torch

from shufflenet_det.training import signals
from shufflenet_det.training.signals import STOPPING, StopRequest, exit_code


@pytest.mark.parametrize('number', STOPPING, ids=lambda number: number.name)
def test_signal_is_noted_and_handled_as_before_afterwards(number):
    before = signal.getsignal(number)
    request = StopRequest()
    assert request.pending() == 0
    os.kill(os.getpid(), number)
    assert request.pending() == number
    request.remove()
    assert signal.getsignal(number) is before


def test_signals_that_others_handle_or_ignore_are_left_to_them():
    def own(number, frame):
        """A handler of the user."""

    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR1)}
    signal.signal(signal.SIGUSR1, own)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    request = StopRequest()
    assert signal.getsignal(signal.SIGUSR1) is own
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    request.remove()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_passed_on_by_the_launcher_changes_nothing_and_a_later_one_ends(monkeypatch):
    ended = []
    request = StopRequest()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    monkeypatch.setattr(signals, 'REPEATED', -1)
    monkeypatch.setattr(signals, '_end_children', lambda: None)  # of other tests
    monkeypatch.setattr(signals.os, 'kill', lambda *sent: ended.append(sent))
    signal.raise_signal(signal.SIGINT)
    assert ended == [(os.getpid(), signal.SIGINT)]
    assert request.pending() == signal.SIGTERM
    request.remove()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_forked_process_handles_sigterm_as_before():
    """A worker of a pool: Python would call the handler too late there."""
    before = signal.getsignal(signal.SIGTERM)
    request = StopRequest()
    child = multiprocessing.get_context('fork').Process(target=_end_if_handled_by, args=(before,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert signal.getsignal(signal.SIGTERM) == request._note
    request.remove()


def _end_if_handled_by(handler):
    sys.exit(signal.getsignal(signal.SIGTERM) is not handler)


class Pids(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return os.getpid()


def test_data_workers_outlive_what_the_whole_group_gets():
    request = StopRequest()
    batches = iter(torch.utils.data.DataLoader(Pids(), num_workers=2, prefetch_factor=1))
    workers = {int(next(batches)), int(next(batches))}
    for number in STOPPING:
        for pid in workers:
            os.kill(pid, number)
    assert {int(pid) for pid in batches} == workers
    request.remove()


def test_training_in_a_thread_leaves_sigterm_alone():
    before, found = signal.getsignal(signal.SIGTERM), []

    def train():
        request = StopRequest()
        found.append(request.pending())
        request.remove()

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [0]
    assert signal.getsignal(signal.SIGTERM) is before


def test_exit_code_tells_the_signal():
    assert (exit_code(), exit_code(signal.SIGHUP)) == (143, 129)
