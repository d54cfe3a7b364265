"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that takes its name at the end of the block, if nothing was raised in it.

    Raises:
        OSError: If the file cannot be written.
    """
    path = Path(path)
    file = tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp', delete=False
    )
    temporary = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
