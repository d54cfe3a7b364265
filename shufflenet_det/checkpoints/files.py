"""Checkpoint files: where they are, reading without executing them, writing in one step."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_local_rank
from mmengine.runner.checkpoint import (
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)
from safetensors.torch import load_file, save
from torch import Tensor

from .atomic import replace_file
from .layouts import flatten

URL_TABLES = {
    'torchvision://': get_torchvision_models,
    'modelzoo://': get_torchvision_models,
    'open-mmlab://': get_external_models,
    'openmmlab://': get_external_models,
    'mmcls://': get_mmcls_models,
}
"""mmengine's checkpoint schemes, and its tables NAME -> URL behind them."""

_NAMED_HASH = re.compile(r'-([0-9a-f]{8,64})\.[a-z]+$')
_CORRUPT = 'corrupt checkpoint: {cause}; download or save it again'


class _Ignored:
    """Stands for the logging objects in mmengine's checkpoints, so that none is ever built."""

    def __new__(cls, *args: object) -> _Ignored:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass


_IGNORED_NAMES = (
    'mmengine.logging.history_buffer.HistoryBuffer', 'builtins.getattr', 'numpy.ndarray',
    'numpy.dtype', 'numpy.core.multiarray._reconstruct', 'numpy.core.multiarray.scalar',
    'numpy._core.multiarray._reconstruct', 'numpy._core.multiarray.scalar',
)  # fmt: skip


@contextmanager
def _nothing_built() -> Iterator[None]:
    """Every type that a process allows beside tensors is replaced by :class:`_Ignored`."""
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([(_Ignored, name) for name in _IGNORED_NAMES])
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(allowed)


def resolve(checkpoint: str) -> Path:
    """Local file of a path, an ``http(s)://`` URL or an mmengine scheme such as ``torchvision://``.

    Downloads go to the cache of ``torch.hub``, once per node.

    Raises:
        ValueError: If the scheme or the name behind it is unknown.
        OSError: If the download fails.
    """
    scheme, separator, name = checkpoint.partition('://')
    if not separator:
        return Path(checkpoint).expanduser()
    if f'{scheme}://' in URL_TABLES:
        return _download(_look_up(f'{scheme}://', name))
    if scheme in ('http', 'https'):
        return _download(checkpoint)
    raise ValueError(
        f'{checkpoint}: scheme {scheme}:// is not known; give a local path, http(s):// or one of '
        f'{list(URL_TABLES)}'
    )


def _look_up(scheme: str, name: str) -> str:
    urls = URL_TABLES[scheme]()
    url = urls.get(name) or urls.get(f'{name}.default')
    if url is None:
        known = sorted(key for key, value in urls.items() if value and 'shufflenet' in key)
        raise ValueError(f'{scheme}{name}: no such name; the ShuffleNets there are {known}')
    return url


def _download(url: str) -> Path:
    path = Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(url).path).name)
    if get_local_rank() == 0 and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            named = _NAMED_HASH.search(path.name)
            torch.hub.download_url_to_file(url, str(path), named and named[1], progress=False)
        except (URLError, RuntimeError) as error:
            cause = getattr(error, 'reason', error)
            raise OSError(
                f'{url}: download failed ({cause}); put the file at {path} or give a local path'
            ) from error
    barrier()
    return path


def read_checkpoint(path: str | Path) -> dict:
    """Read a .pth or .safetensors file on the CPU; nothing in the file is executed.

    Logging objects of mmengine's checkpoints are dropped.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is empty, truncated, an HTML page, altered (checksums of the
            archive), not a dict of tensors, would have to execute
            code, or holds NaN or infinite weights.
    """
    path = Path(path).expanduser()
    _check_file(path)
    try:
        checkpoint = _read(path)
    except _CodeInFileError as error:
        raise ValueError(f'{path}: {error}') from error
    except Exception as error:  # damaged bytes lead the readers into errors of every type
        cause = str(error).split('\n')[0] or 'the file ends early'
        raise ValueError(f'{path}: {_CORRUPT.format(cause=cause)}') from error
    if not isinstance(checkpoint, Mapping) or not flatten(checkpoint):
        raise ValueError(
            f'{path}: holds a {type(checkpoint).__name__} without named tensors; save a '
            'state_dict, a dict name -> tensor'
        )
    _check_finite(path, flatten(checkpoint))
    return dict(checkpoint)


class _CodeInFileError(Exception):
    """The file can only be read by executing what it names."""


def _read(path: Path) -> object:
    if path.suffix == '.safetensors':
        return load_file(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f'checksum of record {damaged} does not fit')
    try:
        with _nothing_built():
            return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r'GLOBAL (\S+)', str(error))
        if named is None:
            raise pickle.UnpicklingError('not written by torch.save') from error
        raise _CodeInFileError(
            f'holds the Python object {named[1]}, which loading would execute: refused. Save only '
            'the state_dict in the project that wrote the file'
        ) from error


def _check_file(path: Path) -> None:
    if not path.is_file():
        what = 'is a directory' if path.is_dir() else 'no such file'
        raise FileNotFoundError(f'{path}: {what}; give the path of a checkpoint file')
    with path.open('rb') as file:
        start = file.read(512)
    if not start:
        cause = 'the file is empty (0 bytes)'
    elif start.lstrip().lower().startswith((b'<!doctype', b'<html')):
        cause = 'it is an HTML page, the download saved a web page'
    else:
        return
    raise ValueError(f'{path}: {_CORRUPT.format(cause=cause)}')


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    bad = [key for key, value in tensors.items() if not value.isfinite().all()]
    if bad:
        raise ValueError(
            f'{path}: corrupt checkpoint: NaN or infinite values in {len(bad)} tensors, such as '
            f'{bad[:5]}; use an earlier checkpoint of that training'
        )


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
