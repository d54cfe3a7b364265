"""Reading files of strangers: regular ones only."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_file(path: str | Path) -> bytes:
    """The content of a regular file; a pipe, a device or a folder is never read from.

    Raises:
        OSError: Naming the cause, if there is none or it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0))  # a pipe would wait
    with os.fdopen(descriptor, 'rb', closefd=True) as file:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            raise OSError(0, 'a pipe, a socket or a device, not a regular file', str(path))
        return file.read()
