"""The transform that reads images, with the policy for those that are damaged."""

from __future__ import annotations

import logging

import mmcv
import mmengine.fileio as fileio
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.fileio import LocalBackend
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from shufflenet_det.integration.registration import register

from .files import read_file
from .pixels import read_image

POLICIES = ('fail', 'skip')
_WORKERS = 256


@register('TRANSFORMS')
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
            image = read_image(results['img_path'], size, self._read, self._decode)
        except (OSError, ValueError) as error:
            if self.policy == 'fail':
                raise ValueError(f'{error}; tools/check_dataset.py lists all such') from error
            worker = get_worker_info()
            self._skipped[worker.id % (_WORKERS - 1) + 1 if worker else 0] += 1
            print_log(f'skipped: {error}', logger='current', level=logging.WARNING)
            return None
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _read(self, path: str) -> bytes:
        try:
            backend = fileio.get_file_backend(path, backend_args=self.backend_args)
        except LookupError as error:
            raise ValueError(f'MMEngine has no file backend {error} for it') from error
        return read_file(path) if isinstance(backend, LocalBackend) else backend.get(path)

    def _decode(self, content: bytes) -> np.ndarray | None:
        return mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
