"""Try the package with other versions: bash tools/check_matrix.sh [CELL ...]"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path

from run_tool import run_tool
from paths import RESULTS, ROOT

from shufflenet_det.bench.environment import environment, write_result

from .cells import CELLS, Cell
from .environments import NoInterpreter, make_environment
from .probe import VERSIONS

PROBE = Path(__file__).with_name('probe.py')
KEPT = ('device', 'commit', 'date')
CAPTION = (
    'Versions that one small detector was tried with: import, build, one training step, one '
    'prediction, export to ONNX and detection with that file.'
)


def main() -> None:
    """Try the cells that are asked for, and add them to the result."""
    names = [cell.name for cell in CELLS]
    parser = argparse.ArgumentParser(prog='check_matrix', description=__doc__)
    parser.add_argument('cells', nargs='*', metavar='CELL', help=f'default: all of {names}')
    parser.add_argument('--out', type=Path, default=RESULTS / 'versions.json')
    parser.add_argument('--work', type=Path, default=ROOT / '.venv-matrix', help='environments')
    parser.add_argument('--run', metavar='COMMAND', help='run this in the environment of one cell '
                        'in place of the trial, keep the environment, record nothing')  # fmt: skip
    args = parser.parse_args()
    unknown = sorted(set(args.cells) - set(names))
    if unknown:
        raise ValueError(f'no cell {unknown}; allowed: {names}')
    chosen = [cell for cell in CELLS if not args.cells or cell.name in args.cells]
    if args.run:
        raise SystemExit(run_in(chosen[0], args.work, args.run))
    for cell in chosen:
        row = attempt(cell, args.work)
        record(row, args.out)
        print(f'{cell.name}: {row["result"]} {row["cause"]}', flush=True)


def environment_of(cell: Cell, work: Path) -> Path:
    """The folder of a cell's environment."""
    return work / cell.name.replace(' ', '-').replace(',', '')


def run_in(cell: Cell, work: Path, command: str) -> int:
    """The exit code of a command whose `python` is that of a cell."""
    folder = environment_of(cell, work)
    python = folder / 'bin/python'
    if not python.exists():
        python = make_environment(cell, folder)
    path = f'{python.parent}{os.pathsep}{os.environ["PATH"]}'
    return subprocess.run(
        ['bash', '-c', command], cwd=ROOT, env=os.environ | dict(PATH=path)
    ).returncode


def attempt(cell: Cell, work: Path) -> dict:
    """What comes of a cell: passed, failed or untested, with the cause; its environment goes."""
    folder = environment_of(cell, work)
    try:
        python = make_environment(cell, folder)
        command = [str(python), *cell.flags, '-W', 'ignore', str(PROBE)]
        env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env)
        if done.returncode:
            cause = f'ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}'
            return row_of(cell, 'failed', cause)
        found = json.loads(done.stdout.splitlines()[-1])
        return row_of(cell, 'failed' if found.pop('failed') else 'passed', **found)
    except NoInterpreter as error:
        return row_of(cell, 'untested', str(error))
    except ValueError as error:
        return row_of(cell, 'failed', f'installs: {error}')
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def row_of(
    cell: Cell, result: str, cause: str = '', passed: tuple[str, ...] = (), versions: dict = None
) -> dict:
    """A row of the result."""
    columns = versions or dict.fromkeys(VERSIONS)
    when = None if result == 'untested' else date.today().isoformat()
    return dict(cell=cell.name, result=result, **columns, passed=list(passed), cause=cause,
                date=when)  # fmt: skip


def record(row: dict, out: Path) -> None:
    """Put a row in its place; a cell without one is untested."""
    kept = json.loads(out.read_text('utf-8'))['cells'] if out.is_file() else []
    rows = {row['cell']: row for row in [*kept, row]}
    cells = [rows.get(cell.name) or row_of(cell, 'untested') for cell in CELLS]
    env = environment()
    write_result(out, 'versions', {key: env[key] for key in KEPT}, what=CAPTION, cells=cells)


if __name__ == '__main__':
    run_tool(main)
