"""Signals as a terminal leaves them to a program."""

import signal

from shufflenet_det.training.signals import STOPPING


def as_in_a_terminal() -> None:
    """Let the signals that stop a training do so, though the parent ignores some, as nohup does."""
    for number in STOPPING:
        own = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, own)
