"""One work_dir, one run."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
import warnings
from pathlib import Path

NAME = '.lock'

_held: dict[tuple[int, Path], int] = {}  # by process too: a forked one holds none


def hold(work_dir: str | Path) -> None:
    """Keep a folder for this process, until it ends in whatever way; again changes nothing.

    Raises:
        BlockingIOError: If another process has it; says which.
        OSError: If it cannot be written to.
    """
    path = Path(work_dir).resolve() / NAME
    if (os.getpid(), path) in _held:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise type(error)(
            f'{work_dir}: no folder that can be written to ({error.strerror}); choose another '
            '--work-dir'
        ) from error
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not inherited by data workers
    except OSError as error:
        first = os.read(descriptor, 1000).decode(errors='replace').strip()
        os.close(descriptor)
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            warnings.warn(
                f'{path}: its file system knows no locks ({error.strerror}); start no other '
                'training in this work_dir',
                stacklevel=2,
            )
            return
        raise BlockingIOError(
            f'{work_dir}: another training is running in it ({first or "just started"}); wait for '
            'its end, or choose another --work-dir'
        ) from None
    os.ftruncate(descriptor, 0)
    since = time.strftime('%Y-%m-%d %H:%M:%S')
    os.write(descriptor, f'process {os.getpid()} on {socket.gethostname()} since {since}'.encode())
    _held[os.getpid(), path] = descriptor


def release(work_dir: str | Path) -> None:
    """Let others have a folder; nothing happens where this process does not hold it."""
    descriptor = _held.pop((os.getpid(), Path(work_dir).resolve() / NAME), None)
    if descriptor is not None:
        os.close(descriptor)
