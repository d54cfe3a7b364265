"""Checkpoint files: reading without executing them, writing in one step."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from .atomic import replace_file
from .containers import read_pth
from .contents import check_size, named_tensors
from .unpickle import RefusedError

_CORRUPT = 'corrupt checkpoint: {cause}; download or save it again'


def read_checkpoint(path: str | Path) -> dict:
    """Read a .pth or .safetensors file on the CPU; nothing in the file is executed.

    Beside tensors and plain values it may hold numpy numbers and arrays, mmengine's loss histories,
    and what the user allowed by `torch.serialization.add_safe_globals`. Memory is bounded by the
    file's size, and nothing outside of the call is changed: threads may read at the same time.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is empty, truncated, an HTML page, altered (checksums of the
            archive), not a dict of tensors, would have to execute
            code, or holds NaN or infinite weights.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        what = 'no such file'
        if path.exists():
            what = 'is a directory' if path.is_dir() else 'is a pipe or a device'
        raise FileNotFoundError(f'{path}: {what}; give the path of a checkpoint file')
    with path.open('rb') as file:
        _check_start(file.read(512), path)
        return _read(file, path)


def check_content(content: bytes, path: str | Path) -> None:
    """Refuse what :func:`read_checkpoint` would refuse if it stood in the file ``path``.

    Raises:
        ValueError: As :func:`read_checkpoint`.
    """
    _read(io.BytesIO(content), Path(path))


def _read(file: BinaryIO, path: Path) -> dict:
    try:
        if path.suffix == '.safetensors':
            content = load_file(path)
        else:
            pickled = read_pth(file)
            check_size(pickled)
            content = pickled.content
        named_tensors(content)
    except RefusedError as error:
        raise ValueError(f'{path}: {error}') from error
    except Exception as error:  # damaged bytes lead the readers into errors of every type
        cause = str(error).split('\n')[0] or 'the file ends early'
        raise ValueError(f'{path}: {_CORRUPT.format(cause=cause)}') from error
    return dict(content)


def _check_start(start: bytes, path: Path) -> None:
    if not start:
        cause = 'the file is empty (0 bytes)'
    elif start.lstrip().lower().startswith((b'<!doctype', b'<html')):
        cause = 'it is an HTML page, the download saved a web page'
    else:
        return
    raise ValueError(f'{path}: {_CORRUPT.format(cause=cause)}')


def write_state_dict(state_dict: Mapping[str, Tensor], path: str | Path) -> str:
    """Write tensors to a .pth or .safetensors file in one step and return its SHA-256.

    An interrupted write leaves an existing file as it was.

    Raises:
        ValueError: If the suffix is neither .pth nor .safetensors.
        OSError: If the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in ('.pth', '.safetensors'):
        raise ValueError(f'{path}: suffix {path.suffix!r} is not allowed; .pth or .safetensors')
    tensors = {key: value.detach().cpu().contiguous() for key, value in state_dict.items()}
    if path.suffix == '.pth':
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
        content = buffer.getvalue()
    else:
        content = save(tensors)
    replace_file(path, content)
    return hashlib.sha256(content).hexdigest()
