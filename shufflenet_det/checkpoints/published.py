"""Detectors to have by name: in the package, or published by their authors; no torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_RELEASE = 'https://github.com/RangiLyu/nanodet/releases/download/v1.0.0-alpha-1'
_DRIVE = 'https://drive.google.com/uc?export=download&id='
PACKAGED = Path(__file__).parent / 'packaged'
"""Folder of the detectors that travel with the package, and of their card."""


@dataclass(frozen=True)
class Published:
    """A published detector.

    Args:
        config: Below configs/, e.g. 'nanodet/nanodet_m_320.py'.
        url: The authors' own file; '' of one that travels with the package.
        ap: On ``data``, as the authors print it, in percent.
        sha256: Of the file; None where no source states it.
        proved: SHA-256 of a state dict of the same detector that the tests check; '' where there
            is none. It is taken in place of the file.
        licence: Of code and weights.
        source: The repository that they come from.
        data: What ``ap`` was measured on.
        file: The .onnx file in PACKAGED; '' of one that is downloaded.
    """

    config: str
    url: str
    ap: float
    sha256: str | None = None
    proved: str = ''
    licence: str = 'Apache-2.0'
    source: str = 'https://github.com/RangiLyu/nanodet'
    data: str = 'COCO val2017'
    file: str = ''


PUBLISHED = {
    'nanodet-m': Published(
        'nanodet/nanodet_m_320.py', f'{_DRIVE}1ZkYucuLusJrCb_i63Lid0kYyyLvEiGN3', 20.6,
        proved='5ba3ea7e8d4a35dec6630793cdb03ad646c035f55cf6ce6fba64d476d08266ab',
    ),
    'nanodet-m-416': Published(
        'nanodet/nanodet_m_416.py', f'{_DRIVE}1jY-Um2VDDEhuVhluP9lE70rG83eXQYhV', 23.5,
    ),
    'nanodet-plus-m-320': Published(
        'nanodet/nanodet_plus_m_320.py', f'{_RELEASE}/nanodet-plus-m_320_checkpoint.ckpt', 27.0,
        # as a project that uses the file records it; not downloaded for this table
        sha256='f4c6080f3ef35a64c3030d559438b436462f227ce29700bca71327203e42dea2',
        proved='25920021f617906376200605f986d4c5d988471eab5d4c9f1f812e79873341d6',
    ),
    'nanodet-plus-m-416': Published(
        'nanodet/nanodet_plus_m_416.py', f'{_RELEASE}/nanodet-plus-m_416_checkpoint.ckpt', 30.4,
        proved='63c3dc9ea103338f3c8df51a072568d99395606e98f27376ef8ebd4d86bdf859',
    ),
    'blood-cells': Published(
        'photos/lighthead_fpn_1.0x_320.py', '', 59.1, data='BCCD, test split',
        file='blood_cells.onnx',
        sha256='bc1cc905e74e5c856e6f24e014003cf0697c310baf3bc8b4610d1c63e30e0af2',
        source='https://github.com/Shenggan/BCCD_Dataset (MIT), weights from RangiLyu/nanodet',
    ),
}  # fmt: skip
"""Name -> row."""


def packaged_file(name: str | Path) -> Path | None:
    """The .onnx file of a name that travels with the package; None of anything else."""
    row = PUBLISHED.get(str(name))
    return PACKAGED / row.file if row and row.file else None


def published(name: str) -> Published:
    """The row of a name.

    Raises:
        ValueError: If there is none; names those that exist.
    """
    if name not in PUBLISHED:
        raise ValueError(f'{name}: no published model of this name; there are {list(PUBLISHED)}')
    return PUBLISHED[name]


def fetch(model: Published) -> Path:
    """The file of a model, in the package or else downloaded unless it is in the cache; checked.

    Raises:
        OSError: If the download fails; says where a copy can be put.
        ValueError: As :func:`check`; a file that was just downloaded is deleted.
    """
    if model.file:
        check(model, PACKAGED / model.file)
        return PACKAGED / model.file
    from .download import cache_path, resolve  # need torch, which the table does not

    new = not cache_path(model.url).exists()
    path = resolve(model.url)
    try:
        check(model, path)
    except ValueError:
        if new:
            path.unlink()
        raise
    return path


def check(model: Published, path: str | Path) -> tuple[str, bool]:
    """SHA-256 of a file, and whether it is one that the row knows.

    Raises:
        ValueError: If the row knows the published file's, and the file has another.
    """
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    known = digest in (model.sha256, model.proved)
    if not known and model.sha256 is not None:
        raise ValueError(
            f'{path}: SHA-256 is {digest}, that of {model.url or model.file} is {model.sha256}; '
            'delete the file and fetch or install it again'
        )
    return digest, known
