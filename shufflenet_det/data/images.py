"""Reading images so that no damaged one passes, with the policy for those that are."""

from __future__ import annotations

import logging
from pathlib import Path

import mmcv
import mmengine.fileio as fileio
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.logging import print_log
from mmengine.registry import TRANSFORMS
from torch.utils.data import get_worker_info

from .pixels import decoded

POLICIES = ('fail', 'skip')
_WORKERS = 256


def decode(content: bytes, flag: str = 'color', backend: str | None = None) -> np.ndarray:
    """Pixels (H, W, 3) uint8 BGR of an encoded image, upright by its EXIF tag.

    Raises:
        ValueError: If the content is empty, cut, no image, or a JPEG that libjpeg has to complete.
    """
    try:
        image = decoded(content, lambda: mmcv.imfrombytes(content, flag=flag, backend=backend))
    except ValueError:
        raise
    except Exception as error:  # OpenCV, PIL and tifffile each have their own
        raise ValueError(f'cannot be decoded ({error})') from error
    if image is None:
        raise ValueError('not an image, or of an unknown format')
    return image


def read_image(
    path: str | Path, size: tuple[int, int] | None = None, flag: str = 'color',
    backend: str | None = None, backend_args: dict | None = None,
) -> np.ndarray:  # fmt: skip
    """Pixels of an image file, as :func:`decode`.

    Args:
        size: Width and height that the annotations give, in the upright frame.

    Raises:
        ValueError: Naming the path, if the file cannot be read or has another size.
    """
    try:
        image = decode(fileio.get(str(path), backend_args=backend_args), flag, backend)
    except (OSError, ValueError) as error:
        cause = getattr(error, 'strerror', None) or error
        raise ValueError(f'{path}: {cause}; tools/check_dataset.py lists all such') from error
    found = image.shape[1], image.shape[0]
    if size is not None and found != size:
        raise ValueError(
            f'{path}: {found[0]}x{found[1]} pixels upright, the annotations say '
            f'{size[0]}x{size[1]}; correct width and height there, tools/check_dataset.py lists '
            'all such'
        )
    return image


@TRANSFORMS.register_module()
class CheckedLoadImage(LoadImageFromFile):
    """`LoadImageFromFile` that finds cut images and sizes unlike the annotations'.

    Takes its arguments. Under the policy 'skip', training takes another image and counts; in
    evaluation an image that cannot be read is always an error.
    """

    policy = 'fail'

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.prepare('fail')

    def prepare(self, policy: str) -> None:
        """Set the policy and a counter for each data worker."""
        if policy not in POLICIES:
            raise ValueError(f'unreadable images: {policy!r} is not one of {POLICIES}')
        self.policy = policy
        self._skipped = torch.zeros(_WORKERS, dtype=torch.int64).share_memory_()

    def take_count(self) -> int:
        """Images skipped by all workers since the last call."""
        count = int(self._skipped.sum())
        self._skipped.zero_()
        return count

    def transform(self, results: dict) -> dict | None:
        size = (results['width'], results['height']) if 'width' in results else None
        try:
            image = read_image(
                results['img_path'], size, self.color_type, self.imdecode_backend,
                self.backend_args,
            )  # fmt: skip
        except ValueError as error:
            if self.policy == 'fail':
                raise
            worker = get_worker_info()
            self._skipped[worker.id % (_WORKERS - 1) + 1 if worker else 0] += 1
            print_log(f'skipped: {error}', logger='current', level=logging.WARNING)
            return None
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results
