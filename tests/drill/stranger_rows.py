"""Rows 31 to 33: files of strangers, each in a process of its own, so that a crash is seen."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import foreign
import forged
import numpy as np
from PIL import Image

from shufflenet_det.checkpoints import read_checkpoint
from shufflenet_det.data.pixels import read_image
from shufflenet_det.deploy.runtime import Detector

from .case import Lab, case, confirm, refused
from .fuzz import REFUSED
from .processes import run, succeeded


def apart(lab: Lab, each: Callable[[str], object], names: tuple[str, ...]) -> str:
    """Try every name in one forked process, in the folder of the case."""

    def target() -> None:
        os.chdir(lab.folder)
        for name in names:
            print(name, flush=True)
            each(name)

    succeeded(run(target, lab.folder / 'log'))
    lab.inputs[REFUSED] += len(names)
    return f'{len(names)} refused: {", ".join(names)}'


@case(31, 'forged pickles')
def pickles(lab: Lab) -> str:
    def one(name: str) -> None:
        note, words = forged.REFUSED[name]
        path = forged.write(Path('net.pth'), forged.checkpoint(note))
        message = refused(lambda: read_checkpoint(path), path, words, kind=ValueError)
        confirm('\n' not in message and len(message) < 600, message)
        confirm(not Path('ran').exists(), 'a function of the file was called')

    return apart(lab, one, tuple(forged.REFUSED))


@case(31, 'a numpy type whose state holds addresses')
def addresses(lab: Lab) -> str:
    path = forged.write(lab.folder / 'net.pth', forged.checkpoint(forged.dtype_with_addresses()))

    def target() -> None:
        confirm(read_checkpoint(path)['note'].dtype == np.float64, 'another type')

    succeeded(run(target, lab.folder / 'log'))
    return 'read as a plain number'


GRAPHS = {
    **foreign.GRAPHS,
    'a Loop without an end': (dict(nodes=(foreign.endless_loop(),)), 'operator Loop'),
    'four terabytes': (dict(nodes=foreign.terabytes()), r'a\.onnx'),
}


@case(32, 'graphs of other exporters')
def graphs(lab: Lab) -> str:
    def one(name: str) -> None:
        arguments, words = GRAPHS[name]
        path = foreign.write_model(Path('a.onnx'), **arguments)
        image = np.zeros((12, 16, 3), np.uint8)
        message = refused(lambda: Detector(path)(image), path, kind=ValueError)
        confirm(re.search(words, message), message)

    return apart(lab, one, tuple(GRAPHS))


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def bomb(path: Path) -> Path:
    """A PNG of 17 KB and 140 million pixels."""
    Image.new('1', (20000, 7000)).save(path)
    return path


ENDLESS = {
    'a pipe as image': (lambda: read_image(pipe(Path('a.jpg'))), 'a.jpg'),
    'a device as image': (lambda: read_image('/dev/zero'), '/dev/zero'),
    'a pipe as checkpoint': (lambda: read_checkpoint(pipe(Path('a.pth'))), 'a.pth'),
    'a picture of 140 million pixels': (lambda: read_image(bomb(Path('a.png'))), '20000x7000'),
}


@case(33, 'pipes, devices and a decompression bomb')
def endless(lab: Lab) -> str:
    def one(name: str) -> None:
        read, words = ENDLESS[name]
        refused(read, words)

    return apart(lab, one, tuple(ENDLESS))
