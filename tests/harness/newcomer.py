"""How long a newcomer waits: to the first picture, a trained detector, the first iteration.

Run it from a clone on an idle machine: python -m harness.newcomer PATH ... --out FILE.json
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from run_tool import run_tool
from paths import ROOT

from shufflenet_det.bench.environment import environment, write_result

PICTURE = re.compile(r'\S+: \d+ objects$')
"""What tools/detect.py prints when a picture is written."""

ITERATION = re.compile(r'(Epoch|Iter)\(train\)')
"""What MMEngine prints behind a training iteration."""

TRAIN = '.mim/tools/train.py'
"""mmdet's own tool, below its package."""

DATA = 'from shufflenet_det.data import generate; generate("set", num_train=16, num_val=4)'
PROJECT = """
_base_ = 'shufflenet_det::demo/lighthead_snv2_demo.py'
work_dir = 'out'
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=1, val_interval=10)
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(by_epoch=False, interval=1))
log_processor = dict(by_epoch=False)
"""
"""A project of somebody else: all that it has is one config."""


@dataclass(frozen=True)
class Stage:
    """One step of a path.

    Args:
        path: What the newcomer wants.
        stage: The step.
        seconds: Wall clock.
    """

    path: str
    stage: str
    seconds: float


def make_environment(folder: str | Path, borrow: bool) -> Path:
    """Make a virtual environment and return its Python.

    Args:
        folder: A new folder.
        borrow: See the packages of the running Python, pip too, but run none of its .pth files.
    """
    bare = ['--without-pip'] if borrow else []
    subprocess.run([sys.executable, '-m', 'venv', *bare, str(folder)], check=True)
    python = Path(folder).absolute() / 'bin/python'
    if borrow:
        # Reads no links: a virtual environment's python is a link to one without its packages.
        site = Path(folder) / 'lib' / f'python{sysconfig.get_python_version()}' / 'site-packages'
        (site / 'borrowed.pth').write_text(sysconfig.get_path('purelib') + '\n')
    return python


def variables(borrow: bool) -> dict[str, str]:
    """Environment of a newcomer: nothing of ours, and no download where packages are borrowed."""
    ours = {'PYTHONPATH', 'VIRTUAL_ENV', 'CONDA_PREFIX', 'QUICKSTART_DIR', 'DEMO_ROOT'}
    env = {key: value for key, value in os.environ.items() if key not in ours}
    env['PYTHONUNBUFFERED'] = '1'
    if borrow:  # 0 is how pip wants to hear "no build isolation"
        env |= dict(PIP_NO_DEPS='1', PIP_NO_INDEX='1', PIP_NO_BUILD_ISOLATION='0')
    return env


def lines(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Iterator[tuple[float, str]]:
    """Run a command and give each line it prints with the seconds since its start.

    Raises:
        ValueError: If it fails, with its last lines.
    """
    start, seen = time.perf_counter(), []
    with subprocess.Popen(
        command, cwd=cwd, env=dict(env), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        for line in process.stdout:
            seen.append(line.rstrip())
            yield time.perf_counter() - start, seen[-1]
    if process.returncode:
        raise ValueError(
            f'{" ".join(map(str, command))} ended with exit code {process.returncode}: '
            f'{" / ".join(seen[-5:])}; run it by hand to see all'
        )


def stages(found: Iterator[tuple[float, str]], path: str, end: re.Pattern, first: str) -> list:
    """Cut what a command prints into stages.

    Args:
        found: From :func:`lines`; a line ``== NAME`` begins a stage.
        path: Path that the stages belong to.
        end: The first line that it fits is what the newcomer waits for.
        first: Name of what happens in front of the first ``== NAME``.

    Raises:
        ValueError: If no line fits ``end``.
    """
    result, name, begun, reached = [], first, 0.0, False
    for seconds, line in found:
        is_end = not reached and end.search(line)
        if (line.startswith('== ') and not reached) or is_end:
            result.append(Stage(path, name, round(seconds - begun, 1)))
            name, begun = line.removeprefix('== ').split(' in')[0], seconds
            reached = bool(is_end)
    if not reached:
        raise ValueError(f'{path}: no line of the output fits {end.pattern!r}')
    return result


def clone(source: Path, folder: Path, path: str) -> Stage:
    """Clone into ``folder/clone``."""
    start = time.perf_counter()
    subprocess.run(['git', 'clone', '-q', str(source), 'clone'], cwd=folder, check=True)
    return Stage(path, 'clone', round(time.perf_counter() - start, 1))


def environment_of(folder: Path, borrow: bool, path: str) -> tuple[Path, Stage]:
    """Python of a new environment in ``folder/site``."""
    start = time.perf_counter()
    python = make_environment(folder / 'site', borrow)
    return python, Stage(path, 'virtual environment', round(time.perf_counter() - start, 1))


def packaged_to_picture(source: Path, folder: Path, borrow: bool) -> list[Stage]:
    """Clone, install without extras, draw a smear, detect in it with the packaged detector."""
    path, env = 'clone to first picture with the packaged detector', variables(borrow)
    found = [clone(source, folder, path)]
    python, made = environment_of(folder, borrow, path)
    steps = {
        'pip install .': ['-m', 'pip', 'install', '.'],
        'draw a smear': ['tools/draw_smear.py', 'smear.png'],
        'detect in it': ['tools/detect.py', 'smear.png', '--model', 'blood-cells'],
    }
    found.append(made)
    for name, arguments in steps.items():
        *_, (seconds, _) = lines([python, *arguments], folder / 'clone', env)
        found.append(Stage(path, name, round(seconds, 1)))
    if not (folder / 'clone/detections/smear.png').is_file():
        raise ValueError(f'{path}: there is no picture')
    return found


def clone_to_picture(source: Path, folder: Path, epochs: int, borrow: bool) -> list[Stage]:
    """Clone, set up, generate data, train, evaluate, draw; up to the first picture."""
    path, env = 'clone to first detection picture', variables(borrow)
    found = [clone(source, folder, path)]
    if borrow:
        env['VIRTUAL_ENV'] = str(make_environment(folder / 'venv', borrow).parents[1])
    command = ['bash', 'tools/quickstart.sh', '--cfg-options', f'train_cfg.max_epochs={epochs}']
    return found + stages(lines(command, folder / 'clone', env), path, PICTURE, 'start')


def install_to_iteration(package: Path, folder: Path, borrow: bool) -> list[Stage]:
    """Install into a new environment, make data, train with mmdet's own tool; one iteration.

    Args:
        package: A wheel, an sdist or a source tree.
        folder: Gets the environment and the project.
        borrow: As in :func:`make_environment`.
    """
    path, env = 'pip install to first training iteration', variables(borrow)
    project = folder / 'project'
    project.mkdir(parents=True)
    python, made = environment_of(folder, borrow, path)
    found = [made]

    def step(name: str, *arguments: str) -> None:
        took = [seconds for seconds, _ in lines([python, *arguments], project, env)]
        found.append(Stage(path, name, round(took[-1], 1)))

    step('pip install', '-m', 'pip', 'install', f'{package.absolute()}[lite]')
    step('data', '-c', DATA)
    (project / 'mine.py').write_text(PROJECT)
    where = 'from importlib.util import find_spec as f; print(f("mmdet").origin)'
    mmdet = Path(subprocess.check_output([python, '-c', where], text=True, env=env).strip()).parent
    command = [python, str(mmdet / TRAIN), 'mine.py']
    ran = lines(command, project, env | dict(DEMO_ROOT='set'))
    return found + stages(ran, path, ITERATION, 'first iteration')


def with_sum(found: Sequence[Stage]) -> list[Stage]:
    """The stages of one path and their sum."""
    total = round(sum(stage.seconds for stage in found), 1)
    return [*found, Stage(found[0].path, 'in all', total)]


def _iteration(args: argparse.Namespace, folder: Path) -> list[Stage]:
    clone(args.source, folder, '')  # pip leaves files where it builds
    return install_to_iteration(folder / 'clone', folder / 'foreign', args.borrow)


PATHS: dict[str, Callable[[argparse.Namespace, Path], list[Stage]]] = {
    'picture': lambda args, folder: packaged_to_picture(args.source, folder, args.borrow),
    'quickstart': lambda args, folder: clone_to_picture(
        args.source, folder, args.epochs, args.borrow
    ),
    'iteration': _iteration,
}


def main() -> None:
    """Measure paths and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('paths', nargs='+', choices=PATHS, help='what the newcomer wants')
    parser.add_argument('--source', type=Path, default=ROOT, help='what is cloned (default: this)')
    parser.add_argument('--epochs', type=int, default=40, help='of the quickstart (%(default)s)')
    parser.add_argument(
        '--borrow', action='store_true', help='download nothing: take the packages of this Python'
    )
    parser.add_argument('--out', help='result file, e.g. data/results/newcomer.json')
    args = parser.parse_args()
    found = []
    for path in args.paths:
        with tempfile.TemporaryDirectory(prefix='newcomer_') as folder:
            found += with_sum(PATHS[path](args, Path(folder)))
    packages = 'packages borrowed, not downloaded' if args.borrow else 'packages downloaded'
    training = f'{args.epochs} epochs of training, ' if 'quickstart' in args.paths else ''
    what = f"A newcomer's way in seconds; {training}{packages}."
    result = write_result(args.out, 'newcomer', environment(), what=what, stages=found)
    for stage in result['stages']:
        print('{path}: {stage}: {seconds} s'.format(**stage))


if __name__ == '__main__':
    run_tool(main)
