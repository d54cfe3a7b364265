"""What the pages show of this CPU, and the command that measures it again."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'
TEST_DATA = 'SHUFFLENET_DET_TEST_DATA'

_V2 = 'snv2_2.0x snv1_2.0x xception_2.0x mobilenetv2_1.4'
_TABLE7 = 'snv2_?.?x snv1_?.?x xception_* mobilenetv2_0.15 mobilenetv2_0.6 mobilenetv2_1.0 '  \
    'mobilenetv2_1.4'  # fmt: skip
_SIDES = '--size 800 1216'
_FORMS = 'eager folded folded-channels-last deploy onnxruntime deploy-onnxruntime'
_EAGER = 'folded-channels-last deploy'
_SHOWN = 'eager folded-channels-last deploy'
_WHOLE = 'stock-operators eager deploy deploy-onnxruntime deploy-onnxruntime-int8'
_DETECTORS = '--config configs/lighthead_snv2.py configs/lighthead_snv2.py+atrous '  \
    'configs/lighthead_snv2_0.5x.py mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py '  \
    f'--forms {_WHOLE} --turns 20 --seconds 480'  # fmt: skip
_PHOTOS = ' '.join(
    f'configs/photos/{name}_1.0x_320.py'
    for name in 'lighthead_fpn gfl faster_rcnn yolox rtmdet nanodet_plus ssdlite retinanet'.split()
)


@dataclass(frozen=True)
class Recording:
    """One result file.

    Args:
        name: Of the file, without ``.json``.
        minutes: Expected on two idle cores.
        command: Tool, or module of tests/ behind ``-m``, and its arguments, without ``--out``;
            ``DATA`` is the folder that SHUFFLENET_DET_TEST_DATA names.
        instructions: What the CPU must have; None for any.
        chart: Whether a .png stands beside the file.
        notes_machine: Whether the tool notes what else the machine did, which spoils its times.
    """

    name: str
    minutes: int
    command: str
    instructions: str | None = None
    chart: bool = False
    notes_machine: bool = True

    def arguments(self) -> list[str]:
        """The command as the arguments of Python."""
        data = os.environ.get(TEST_DATA, '')
        words = [word.replace('DATA', data, 1) for word in shlex.split(self.command)]
        return words if words[0] == '-m' else [str(TOOLS / f'{words[0]}.py'), *words[1:]]


RECORDINGS = {
    row.name: row
    for row in (
        Recording('table8_cpu', 5, f'latency --arch table8 --classifier --forms {_SHOWN}',
                  chart=True),
        *(Recording(f'table8_two_threads_{wait}_cpu', 2,
                    f'latency --arch table8 --classifier --threads 2 --wait {wait}')
          for wait in ('active', 'passive')),
        Recording('headline_batch1_cpu', 1,
                  f'latency --arch {_V2} --classifier --forms {_SHOWN}'),
        Recording('headline_batch4_cpu', 2,
                  f'latency --arch {_V2} --classifier --forms {_SHOWN} --batch 4'),
        Recording('headline_batch8_cpu', 3,
                  f'latency --arch {_V2} --classifier --forms {_SHOWN} --batch 8'),
        Recording('headline_800x1216_cpu', 4, f'latency --arch {_V2} mobilenetv1_1.0 --forms '
                  f'{_SHOWN} --size 800 1216'),
        Recording('appendix_320_cpu', 1, f'latency --arch {_TABLE7} --size 320 320'),
        Recording('appendix_480_cpu', 2, f'latency --arch {_TABLE7} --size 480 640'),
        Recording('appendix_720_cpu', 4, f'latency --arch {_TABLE7} --size 720 1080'),
        Recording('latency_cpu', 20, 'latency --arch all --size 800 1216', chart=True),
        Recording('forms_cpu', 5, f'latency --arch snv2_?.?x --forms {_FORMS} {_SIDES} '
                  '--against torchvision --threads 2', 'AVX2'),
        Recording('forms_avx512_cpu', 5, f'latency --arch snv2_?.?x --forms {_FORMS} {_SIDES} '
                  '--against torchvision --threads 2', 'AVX512'),
        Recording('forms_one_thread_cpu', 2,
                  f'latency --arch snv2_?.?x --forms {_EAGER} {_SIDES}'),
        Recording('detectors_cpu', 12, f'latency {_DETECTORS} --threads 2'),
        Recording('photos_cpu', 1, f'latency --config {_PHOTOS} --forms eager --size 320 320'),
        Recording('edge_cpu', 2, 'edge --seconds 90'),
        Recording('training_cpu', 4, 'training_forms DATA/photos'),
        Recording('operators_cpu', 1, 'operators --threads 2', 'AVX512'),
        Recording('operators_avx2_cpu', 1, 'operators --threads 2', 'AVX2'),
        Recording('guidelines_cpu', 3, 'guidelines', chart=True),
        Recording('decomposition_cpu', 1, 'decomposition --arch table8 snv2_50 resnet50',
                  chart=True),
        Recording('decomposition_forms_cpu', 1,
                  f'decomposition --arch snv2_?.?x --form {_EAGER} {_SIDES}'),
        Recording('choose_backbone', 10, 'choose_backbone --budget-ms 8 --size 224 224',
                  chart=True),
        Recording('choose_detector', 15,
                  'choose_backbone --budget-ms 70 --size 320 320 --head light-head'),
        Recording('readings', 1, 'readings', notes_machine=False),
        Recording('converters', 2, 'converters --data DATA', notes_machine=False),
        Recording('swaps', 20, 'swaps DATA/coco128_train2017', notes_machine=False),
        Recording('nanodet_coco128', 5, 'nanodet_coco --data DATA', notes_machine=False),
        Recording('first_picture', 2, '-m harness.newcomer picture', notes_machine=False),
        Recording('newcomer', 20, '-m harness.newcomer quickstart iteration',
                  notes_machine=False),
        Recording('overhead_cpu', 10, '-m harness.load --overhead', notes_machine=False),
        Recording('load_cpu', 60, '-m harness.load', notes_machine=False),
        Recording('fault_drill', 8, '-m drill', notes_machine=False),
    )
}  # fmt: skip
"""Name -> how it is measured, in this order. One thread beside the paper's ARM chip. What a
training or a GPU gave is not in it."""


def chosen(names: Sequence[str]) -> list[Recording]:
    """The recordings of these names, or all.

    Raises:
        ValueError: If a name is unknown.
    """
    unknown = [name for name in names if name not in RECORDINGS]
    if unknown:
        raise ValueError(f'{", ".join(unknown)} is not recorded here; allowed: {list(RECORDINGS)}')
    return [RECORDINGS[name] for name in names or RECORDINGS]


def reason_to_skip(recording: Recording, folder: Path, again: bool = False) -> str | None:
    """Why a recording is not made now; None where it is."""
    capability = torch.backends.cpu.get_cpu_capability()
    if recording.instructions not in (None, capability):
        return f'needs {recording.instructions}, this CPU has {capability}'
    if 'DATA' in recording.command and not os.environ.get(TEST_DATA):
        return f'needs the test data, in the folder that {TEST_DATA} names'
    path = folder / f'{recording.name}.json'
    if again or not path.exists():
        return None
    if not recording.notes_machine:
        return 'is done'
    machine = json.loads(path.read_text(encoding='utf-8'))['environment'].get('machine')
    return 'is done' if machine and not machine.get('busy') else None


def record(recording: Recording, folder: Path, accept_busy: bool = False) -> str:
    """Measure, and replace the stored result unless the machine was busy.

    Args:
        recording: What.
        folder: Of the results.
        accept_busy: Keep the result of a busy machine, too, which says so in its table.

    Returns:
        What became of it.

    Raises:
        ValueError: If the tool fails, whose message stands above.
    """
    new = folder / f'{recording.name}.new'
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    try:
        _run(recording, new)
        drawn = sorted(folder.glob(f'{new.name}*.png'))
        environment = json.loads(new.read_text(encoding='utf-8'))['environment']
        busy = environment['machine']['busy'] if recording.notes_machine else None
        if busy and not accept_busy:
            return f'not kept: {busy}'
        os.replace(new, folder / f'{recording.name}.json')
        for chart in drawn:
            os.replace(chart, folder / chart.name.replace('.new', '', 1))
        return f'recorded, although {busy}' if busy else 'recorded'
    finally:
        for path in (new, *drawn):
            path.unlink(missing_ok=True)


def _run(recording: Recording, out: Path) -> None:
    command = [sys.executable, *recording.arguments(), '--out', str(out)]
    if recording.chart:
        command += ['--plot', str(out.with_suffix('.new.png'))]
    paths = os.pathsep.join(map(str, (ROOT, ROOT / 'tests', TOOLS)))
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, env=dict(os.environ, PYTHONPATH=paths)
    )
    if done.returncode:
        raise ValueError(f'{recording.name}: {shlex.join(command)} ended with {done.returncode}')
