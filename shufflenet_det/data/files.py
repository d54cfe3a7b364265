"""Reading files of strangers: regular ones only."""

from __future__ import annotations

import os
import stat
import unicodedata
from functools import lru_cache
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


def names_in(folder: Path) -> list[str]:
    """Sorted names of what a folder holds, apart from hidden files and what macOS adds to zips."""
    names = os.listdir(folder) if folder.is_dir() else ()
    return sorted(name for name in names if not name.startswith('.') and name != '__MACOSX')


def alike(path: str | Path) -> str:
    """A file beside one that is missing, whose name differs in case or Unicode form; or ''."""
    path = Path(path)
    return _by_form(path.parent).get(_form(path.name), '')


def _form(name: str) -> str:
    return unicodedata.normalize('NFC', name).casefold()


@lru_cache(maxsize=4)
def _by_form(folder: Path) -> dict[str, str]:
    return {_form(name): name for name in os.listdir(folder)} if folder.is_dir() else {}
