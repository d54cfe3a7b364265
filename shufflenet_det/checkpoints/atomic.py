"""Files that are either whole or as they were before; standard library only."""

from __future__ import annotations

import os
from pathlib import Path


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
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(
            error.errno,
            f'{path}: writing {len(content)} bytes failed ({error.strerror or error}); earlier '
            'files are intact. Free disk space or choose another folder, then run it again',
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: str | Path) -> None:
    """Delete what killed writers left in a folder that only this run writes to."""
    for path in Path(folder).glob('.*.tmp'):
        path.unlink(missing_ok=True)
