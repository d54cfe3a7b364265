"""What is said of a config that cannot be read: it is a program, and can fail in any way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def errors_of_config(path: str | Path) -> Iterator[None]:
    """Name a config in whatever ends its reading.

    Raises:
        FileNotFoundError: As it is.
        ImportError: If it, or what it imports, needs a module that is not there.
        ValueError: If it is no Python, with its line, or fails in any other way.
    """
    try:
        yield
    except SyntaxError as error:
        raise ValueError(f'{path}, line {error.lineno}: {error.msg}; correct the config') from error
    except FileNotFoundError:
        raise
    except ImportError as error:
        raise ImportError(f'{path}: {error}') from error
    except Exception as error:
        cause = f'{type(error).__name__}: {error}'.strip().splitlines()[0]
        raise ValueError(f'{path}: {cause}; correct the config') from error
