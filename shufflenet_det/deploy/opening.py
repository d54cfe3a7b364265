"""From a path to the engine of the runtime that a file is for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shufflenet_det.checkpoints.published import PUBLISHED, packaged_file

from .archive import MAGIC, MEMBER, Archive
from .contract import check_detections
from .fields import shown
from .formats import FORMATS, REMEDY, ForeignFile
from .model_info import ModelInfo
from .selection_spec import check_selection

CPU = ('CPUExecutionProvider',)
BLACK = np.zeros((1, 3, 32, 32), np.uint8)
PLACES = ('Exception from ', "Check '")
"""How OpenVINO's lines of places begin."""


def checked_path(model: str | os.PathLike) -> Path:
    """The file of a path, or of a name that the package holds.

    Raises:
        ValueError: If it is neither.
    """
    if not isinstance(model, str | os.PathLike):
        raise ValueError(
            f'the model must be the path of a file of tools/export.py, got {type(model).__name__}'
        )
    return packaged_file(model) or Path(model)


def check_names(providers: Sequence[str]) -> None:
    """Refuse what is no list of execution providers.

    Raises:
        ValueError: Saying what is given.
    """
    listed = isinstance(providers, list | tuple) and providers
    if not listed or not all(isinstance(name, str) for name in providers):
        raise ValueError(f'providers is {shown(providers)}, allowed is a list such as {list(CPU)}')


def open_file(path: Path, num_threads: int, providers: tuple[str, ...]) -> tuple:
    """Name of the runtime, its engine and the info.

    Raises:
        OSError, ImportError, ValueError: As ``runtime.Detector``.
    """
    if path.is_dir():
        raise IsADirectoryError(f'{path}: a folder; give the file of tools/export.py that is in it')
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; {_remedy(path)}')
    content = path.read_bytes()
    try:
        if not content:
            raise ForeignFile('the file is empty (0 bytes)')
        if content.startswith(MAGIC):
            return _open_archive(Archive.from_bytes(content), num_threads, providers)
        engine = FORMATS['onnx'].load_engine()(content, num_threads, providers)
        return 'onnx', engine, engine.info
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    except RecursionError as error:
        raise ValueError(f'{path}: its metadata has too many lists in each other') from error
    except ImportError as error:
        raise ImportError(f'{path}: {error}') from error


def _remedy(path: Path) -> str:
    """What to do where there is no file of a path, which may have been meant as a name."""
    if path.name in PUBLISHED:
        return (
            f'{path.name} is no file, but weights for PyTorch: tools/detect.py --model {path.name} '
            'fetches them, in Python deploy.predict.load_predictor does'
        )
    names = ', '.join(name for name, row in PUBLISHED.items() if row.file)
    return f'{REMEDY}, or give the name of one in the package: {names}'


def _open_archive(archive: Archive, num_threads: int, providers: tuple[str, ...]) -> tuple:
    names = [name for name, row in FORMATS.items() if row.engine and name != 'onnx']
    if archive.runtime not in names:
        raise ValueError(
            f'a file for {archive.runtime!r}, known are {", ".join(names)}; a newer version of '
            'shufflenet_det may know it'
        )
    if providers != CPU:
        raise ValueError(f'a file for {archive.runtime}: only ONNX Runtime has providers')
    try:
        info = ModelInfo.from_json(archive.info)
        if not FORMATS[archive.runtime].whole:
            check_selection(archive.selection)
        elif archive.selection is not None:
            raise ValueError(f'selection is given, but a graph for {archive.runtime} holds all')
    except ValueError as error:
        raise ForeignFile(f'{MEMBER}: {error}') from error
    engine = FORMATS[archive.runtime].load_engine()
    try:
        engine = engine(archive, num_threads)
        if not FORMATS[archive.runtime].whole:  # else shapes are stated, and were checked
            check_detections(*engine(BLACK), info.classes, len(BLACK))
        return archive.runtime, engine, info
    except (ImportError, ForeignFile):
        raise
    except KeyError as error:
        raise ForeignFile(f'{error} is not in it') from error
    except Exception as error:  # the runtimes' own exceptions share no other base
        raise ForeignFile(f'{archive.runtime} cannot load it ({cause(error)})') from error


def cause(error: Exception) -> str:
    """The first line of an error that is not only a place in the runtime's own source."""
    lines = (line.strip() for line in str(error).splitlines())
    says = (line for line in lines if line and not line.startswith(PLACES))
    return next(says, type(error).__name__)
