"""Files that are either whole or as they were before; standard library only."""

from __future__ import annotations

import os
import re
import warnings
from argparse import ArgumentTypeError
from pathlib import Path

TEMPORARY = re.compile(r'\..+\.\d+\.tmp')


def replace_file(path: str | Path, content: bytes | str) -> None:
    """Write beside ``path``, flush to the disk, read back and only then move over ``path``.

    Raises:
        OSError: If that fails; what was at ``path`` is as before.
    """
    path = Path(path)
    content = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        with temporary.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if temporary.read_bytes() != content:
            raise OSError('what was read back differs from what was written')
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(
            error.errno,
            f'{path}: writing {len(content)} bytes failed ({error.strerror or error}); earlier '
            'files are intact. Free disk space or choose another folder, then run it again',
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def check_folder(path: str | Path) -> None:
    """Refuse what is no folder to write to, and what cannot be made one.

    Raises:
        NotADirectoryError, PermissionError: Naming the file, or the folder that is closed.
    """
    there = next(part for part in (Path(path), *Path(path).parents) if part.exists())
    if not there.is_dir():
        raise NotADirectoryError(f'{there}: is a file, not a folder; choose another folder')
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f'{there}: this user may not write here; choose another folder')


def check_file(path: str | Path) -> None:
    """Refuse, before the work that is to be kept in it, what no file can be written to.

    Raises:
        IsADirectoryError: If a folder is there.
        NotADirectoryError, PermissionError: As :func:`check_folder`, of the folder it lies in.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(f'{path}: is a folder; give the name of a file')
    check_folder(Path(path).parent)


def new_file(text: str) -> Path:
    """A file that a tool is to write, as a type of argparse.

    Raises:
        ArgumentTypeError: As :func:`check_file`.
    """
    try:
        check_file(text)
    except OSError as error:
        raise ArgumentTypeError(str(error)) from error
    return Path(text)


def _sync_folder(folder: Path) -> None:
    """Flush the names in a folder, where its file system can; the file is in place either way."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        warnings.warn(  # once: warnings are told apart by their text
            f'{folder}: its file system does not flush folders ({error.strerror}): after a loss of '
            'power the file before may be there in place of the last one',
            stacklevel=3,
        )


def remove_leftovers(folder: str | Path, *names: str) -> None:
    """Delete what killed writers of files with names like these left in a folder of this run.

    Args:
        names: Patterns of the shell.
    """
    for name in names:
        for path in Path(folder).glob(f'.{name}.*.tmp'):
            if TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)
