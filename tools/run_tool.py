"""How the tools end: bad input becomes one line and exit code 2."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

BAD_INPUT = 2
"""Exit code after bad input."""

NO_MEMORY = re.compile('MemoryError|out ?of ?memory|allocate memory', re.IGNORECASE)
"""In errors of Python, numpy and torch, which has no class of its own for the CPU."""

T = TypeVar('T')


def end(message: object) -> None:
    """Print what was wrong with the input, in one line."""
    line = ' '.join(str(message).split())
    print(f'{Path(sys.argv[0]).name}: error: {line}', file=sys.stderr, flush=True)


def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A package that a tool's own imports miss becomes one line as well, and so does Ctrl-C."""
    if kind is KeyboardInterrupt:
        end('interrupted')
        return  # Python then ends by the signal
    if kind is not ModuleNotFoundError:
        sys.__excepthook__(kind, error, trace)
        return
    end(
        f"{error.name} is not installed: pip install 'shufflenet_det[lite]' brings what training "
        'needs, [deploy] what exporting needs'
    )
    os._exit(BAD_INPUT)  # an excepthook cannot choose the exit code otherwise


if Path(sys.argv[0]).resolve().parent == Path(__file__).resolve().parent:
    sys.excepthook = explain  # a tool imports this module before others


def run_tool(main: Callable[[], T]) -> T:
    """Call a tool's main, or a part of it; an error that names bad input becomes one line."""
    if sys.stdout.errors == 'strict':
        sys.stdout.reconfigure(errors='backslashreplace')  # names of files are any bytes
    try:
        return main()
    except (ValueError, OSError, ImportError) as error:
        end(error)
        raise SystemExit(BAD_INPUT) from error
    except (MemoryError, RuntimeError) as error:
        if not NO_MEMORY.search(f'{type(error).__name__}: {error}'):
            raise
        end(f'not enough memory; a smaller --size or --batch needs less ({error})')
        raise SystemExit(BAD_INPUT) from error
