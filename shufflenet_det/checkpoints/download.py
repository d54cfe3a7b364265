"""Where a checkpoint is: paths, URLs and the schemes of MMEngine."""

from __future__ import annotations

import hashlib
import os
import re
import time
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from mmengine.dist import barrier, get_local_rank
from mmengine.runner.checkpoint import (
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)

URL_TABLES = {
    'torchvision://': get_torchvision_models,
    'modelzoo://': get_torchvision_models,
    'open-mmlab://': get_external_models,
    'openmmlab://': get_external_models,
    'mmcls://': get_mmcls_models,
}
"""mmengine's checkpoint schemes, and its tables NAME -> URL behind them."""

SILENCE = 30.0  # s without a byte
SLOWEST = 1000  # bytes/s, after the first SILENCE
_NAMED_HASH = re.compile(r'-([0-9a-f]{8,64})\.[a-z]+$')
_CHUNK = 1 << 20  # bytes


def resolve(checkpoint: str) -> Path:
    """Local file of a path, an ``http(s)://`` URL or an mmengine scheme such as ``torchvision://``.

    Downloads go to the cache of ``torch.hub``, once per node.

    Raises:
        ValueError: If the scheme or the name behind it is unknown.
        OSError: If the download fails, or the server is silent for :data:`SILENCE`.
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


def cache_path(url: str) -> Path:
    """Where the file of a URL is kept.

    A name that ends with a hash of the content is shared, as torch.hub does; any other stands in a
    folder of its URL.
    """
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    name = Path(urlparse(url).path).name
    name = name if name.strip('.') else 'checkpoint.pth'
    if not _NAMED_HASH.search(name):
        folder /= hashlib.sha256(url.encode()).hexdigest()[:16]
    return folder / name


def _download(url: str) -> Path:
    path, failure = cache_path(url), None
    if get_local_rank() == 0 and not path.exists():
        try:
            _fetch(url, path)
        except (OSError, ValueError, HTTPException) as error:
            failure = getattr(error, 'reason', None) or error
    barrier()
    if not path.exists():
        raise OSError(
            f'{url}: download failed ({failure or "on the first rank of this node"}); put the file '
            f'at {path} or give a local path'
        )
    return path


def _fetch(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        with temporary.open('wb') as file:
            digest = _copy(url, file)
        named = _NAMED_HASH.search(path.name)
        if named and not digest.startswith(named[1]):
            raise ValueError(f'SHA-256 is {digest}, the name says {named[1]}')
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(url: str, file: BinaryIO) -> str:
    """Write what a URL gives; returns its SHA-256.

    Raises:
        OSError: If the server is silent, too slow, or ends early.
    """
    digest, received, start = hashlib.sha256(), 0, time.monotonic()
    request = Request(url, headers={'User-Agent': 'shufflenet_det'})
    with urlopen(request, timeout=SILENCE) as response:
        expected = response.headers.get('Content-Length')
        while chunk := response.read1(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            seconds = time.monotonic() - start
            if seconds > SILENCE and received < SLOWEST * seconds:
                raise TimeoutError(f'{received} bytes in {seconds:.0f} s')
    if expected is not None and received != int(expected):
        raise OSError(f'{received} of {expected} bytes came')
    return digest.hexdigest()
