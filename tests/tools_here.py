"""Tools as a user runs them, in the process of the tests: without the seconds of imports."""

import runpy
import sys

import pytest
from paths import ROOT, TOOLS


def run_here(monkeypatch: pytest.MonkeyPatch, tool: str, *arguments: object) -> None:
    """Run ``tools/TOOL`` from the root of the project; SystemExit where it ends with a code."""
    monkeypatch.setattr(sys, 'argv', [f'tools/{tool}', *map(str, arguments)])
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(TOOLS / tool), run_name='__main__')
