"""Photographs that installed packages carry and license freely in their own files; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Photograph:
    """A photograph of an installed package.

    Args:
        package: That carries it, as it is imported.
        file: In the package's folder.
        licence: As the package states it.
        source: Who made it or gave it.
        stated_in: File of the package that states both.
    """

    package: str
    file: str
    licence: str
    source: str
    stated_in: str


_SKIMAGE = 'data/_fetchers.py'
_SKLEARN = 'datasets/images/README.txt'
PHOTOGRAPHS = {
    'astronaut': Photograph('skimage', 'data/astronaut.png', 'public domain', 'NASA', _SKIMAGE),
    'cat': Photograph('skimage', 'data/chelsea.png', 'CC0', 'Stefan van der Walt', _SKIMAGE),
    'coffee': Photograph('skimage', 'data/coffee.png', 'CC0', 'Rachel Michetti', _SKIMAGE),
    'rocket': Photograph('skimage', 'data/rocket.jpg', 'public domain', 'SpaceX', _SKIMAGE),
    'china': Photograph('sklearn', 'datasets/images/china.jpg', 'CC BY 2.0', 'danielbuechele',
                        _SKLEARN),
    'flower': Photograph('sklearn', 'datasets/images/flower.jpg', 'CC BY 2.0', 'danielbuechele',
                         _SKLEARN),
}  # fmt: skip
"""Name -> row; matplotlib's portrait is none, as its package states no licence of it."""


def photograph(name: str) -> Path:
    """The file of a name in PHOTOGRAPHS.

    Raises:
        ImportError: If its package is not installed.
    """
    row = PHOTOGRAPHS[name]
    spec = find_spec(row.package)
    if spec is None:
        raise ImportError(f'{name} comes with the package {row.package}, which is not installed')
    return Path(spec.submodule_search_locations[0], row.file)
