"""What tools/latency.py takes, and what goes together."""

from __future__ import annotations

import argparse
import re

from .detector_forms import DETECTOR_FORMS
from .forms import FORMS
from .scenarios import SCENARIOS


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Models and how they are fed."""
    add = parser.add_argument
    add('models', nargs='*', default=[], metavar='MODEL', help='A.onnx, an arch such as snv2_1.0x '
        'or "snv2_*", CONFIG.py or CONFIG.py=CHECKPOINT of a detector, CONFIG.py of a backbone, '
        'mmdet::FOLDER/CONFIG.py')  # fmt: skip
    add('--arch', nargs='+', help='backbones with their macs, beside the paper: names, "snv2_*", '
        'table8 or all')  # fmt: skip
    add('--config', nargs='+', help='detectors with their parts: CONFIG, '
        'CONFIG+OPTION or CONFIG=CHECKPOINT')  # fmt: skip
    add('--option', nargs='+', default=[], help='configs/options for every --config')
    add('--forms', nargs='+', default=['eager'],
        help=f'networks: {list(FORMS)}; detectors: {list(DETECTOR_FORMS)}')  # fmt: skip
    add('--size', type=int, nargs=2, metavar=('H', 'W'), help='input; default: 800 1216 for '
        "--config, else the paper's 224 224")  # fmt: skip
    add('--input', type=named_shape, nargs='+', default=[], metavar='NAME=1x3x320x320',
        help='shape of an ONNX input that cannot be told')  # fmt: skip
    add('--processes', type=int, default=1, help='repeat in fresh processes')
    add('--cold', action='store_true', help='of MODELs: loading, first call, and calls with '
        'evicted caches as rows')  # fmt: skip
    add('--scenario', choices=SCENARIOS, help='of MODELs: how queries arrive')
    add('--rate', type=float, help='queries a second of --scenario server')
    add('--images', metavar='FOLDER', help='of --config: real pictures, which take turns')
    add('--with-resize', action='store_true', help='time the resizing of --images, too')
    add('--classifier', action='store_true', help='of --arch: up to what the classifier reads, as '
        'in Table 8')  # fmt: skip
    add('--against', choices=['torchvision'], help='of --arch: add its model, the same weights')


def named_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """``NAME=1x3x320x320`` as name and shape."""
    name, _, shape = text.rpartition('=')
    if not name or not re.fullmatch(r'[1-9]\d*(x[1-9]\d*)*', shape):
        raise argparse.ArgumentTypeError(f'{text!r} is not allowed; give NAME=1x3x320x320')
    return name, tuple(map(int, shape.split('x')))


NEEDS = {
    'models': ('input', 'cold', 'scenario', 'rate'),
    'config': ('option', 'images', 'with_resize'),
    'arch': ('classifier', 'against'),
}
"""What is measured -> arguments that only it takes."""


def check_arguments(args: argparse.Namespace) -> None:
    """Raise ValueError for arguments that do not go together."""
    given = [kind for kind in NEEDS if getattr(args, kind)]
    if len(given) != 1:
        raise ValueError('give MODELs, --arch or --config, and only one of them')
    for kind, names in NEEDS.items():
        wrong = [f'--{name}'.replace('_', '-') for name in names if getattr(args, name)]
        if kind != given[0] and wrong:
            place = 'MODELs' if kind == 'models' else f'--{kind}'
            raise ValueError(f'{", ".join(wrong)} needs {place}')
    if args.with_resize and not args.images:
        raise ValueError('--with-resize needs --images FOLDER')
