"""Files that are either whole or as they were before."""

from __future__ import annotations

import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


def replace_file(path: str | Path, content: bytes) -> None:
    """Write beside ``path``, flush to the disk, read back and only then move over ``path``.

    Raises:
        OSError: If that fails; what was at ``path`` is as before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
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
            'files are intact. Free disk space or choose another work_dir, then resume',
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


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """mmengine's local files, written by :func:`replace_file`: ``backend_args=ATOMIC``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        replace_file(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        replace_file(filepath, obj.encode(encoding))


ATOMIC = dict(backend='atomic')
