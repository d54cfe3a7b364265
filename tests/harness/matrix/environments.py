"""Environments of cells: whole ones of an interpreter, or layers above the running one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from paths import ROOT

from .cells import Cell

PROJECT = 'shufflenet_det'


class NoInterpreter(ValueError):
    """The Python of a cell is not on this machine."""


def make_environment(cell: Cell, folder: Path) -> Path:
    """Install a cell's versions and this project into a new folder; its interpreter.

    Raises:
        NoInterpreter: If there is no such Python.
        ValueError: If pip fails, with its last line.
    """
    _run([find_python(cell.python), '-m', 'venv', str(folder)])
    python = folder / 'bin/python'
    pip = [str(python), '-m', 'pip', 'install', '--quiet']
    if cell.python is None:
        _run([str(python), '-m', 'pip', 'uninstall', '--quiet', '--yes', 'setuptools'])  # of venv
        _borrow(folder, [PROJECT, *map(_name, cell.packages), *cell.without])
        if cell.packages:
            _run([*pip, '--no-deps', *cell.packages])
    elif cell.bounds:
        _run([*pip, *cell.packages])
    else:
        _run([*pip, '--editable', f'{ROOT}[{extras(cell)}]', *cell.packages])
        return python
    _run([*pip, '--no-deps', '--editable', str(ROOT)])
    return python


def extras(cell: Cell) -> str:
    """What of setup.py a cell installs: only some versions of torch export."""
    old = re.search(r'torch==2\.(\d+)', ' '.join(cell.packages))
    return 'lite' if old and int(old[1]) < 14 else 'lite,deploy'


def find_python(version: str | None) -> str:
    """The interpreter of a version, or the running one.

    Raises:
        NoInterpreter: If it is not on PATH.
    """
    if version is None:
        return sys.executable
    name = f'python{version}'
    for folder in os.get_exec_path():
        found = shutil.which(name, path=folder)
        if found and subprocess.run([found, '--version'], capture_output=True).returncode == 0:
            return found
    raise NoInterpreter(f'no {name} on PATH')


def _name(requirement: str) -> str:
    return re.match(r'[\w-]+', requirement)[0]


def _borrow(folder: Path, without: Iterable[str]) -> None:
    """Show an environment the packages of the running Python, but for some distributions."""
    hidden = {part for name in without for part in _top_names(name)}
    links = folder / 'borrowed'
    links.mkdir()
    site = Path(sysconfig.get_path('purelib'))
    for entry in site.iterdir():
        if entry.name not in hidden and entry.suffix != '.pth':
            (links / entry.name).symlink_to(entry)
    own = next((folder / 'lib').glob('python*/site-packages'))
    (own / 'borrowed.pth').write_text(f'{links.absolute()}\n')


def _top_names(name: str) -> set[str]:
    try:
        files = distribution(name).files or ()
    except PackageNotFoundError:
        return set()
    return {file.parts[0] for file in files} - {'..', '__pycache__'}


def _run(command: list[str]) -> None:
    env = {
        key: value for key, value in os.environ.items() if key not in ('PYTHONPATH', 'PYTHONHOME')
    }
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.lower().startswith('error')]
        raise ValueError(f'{" ".join(command[1:4])}: {(lines or [done.stderr[-300:]])[-1]}')
