"""How the tools end: bad input becomes one line and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

BAD_INPUT = 2
"""Exit code after bad input."""

T = TypeVar('T')


def run_tool(main: Callable[[], T]) -> T:
    """Call a tool's main, or a part of it; an error that names bad input becomes one line."""
    try:
        return main()
    except (ValueError, OSError, ImportError) as error:
        line = ' '.join(str(error).split())
        print(f'{Path(sys.argv[0]).name}: error: {line}', file=sys.stderr)
        raise SystemExit(BAD_INPUT) from error
