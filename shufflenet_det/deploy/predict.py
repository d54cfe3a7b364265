"""Detectors by what a user names: config and checkpoint, exported file, or a published model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from numpy import ndarray

from shufflenet_det.checkpoints.published import PUBLISHED, fetch, packaged_file
from shufflenet_det.data.pixels import as_image, pad_thin
from shufflenet_det.integration.config_scope import config_path
from shufflenet_det.integration.type_name import type_name

from .formats import FORMATS
from .stream import Predictor, scale_to

EXPORTED = {Path(f'model{row.suffix}').suffix for row in FORMATS.values()} - {''}
"""Endings of exported files."""


class MMDetPredictor:
    """A detector of MMDetection from its config and checkpoint.

    PyTorch and MMDetection are imported when one is made: exported detectors do without.

    Args:
        config: Config file.
        checkpoint: Checkpoint file.
        device: ``cpu``, ``cuda:0``, ...; None takes a GPU where there is one.
        size: Longer side of the input in px; None takes the config's.

    Raises:
        ImportError: If PyTorch or MMDetection is not installed.
        ValueError: If PyTorch has no such device here.
    """

    def __init__(
        self, config: str, checkpoint: str, device: str | None = None, size: int | None = None
    ) -> None:
        load_detector, self._infer, usual = _mmdetection(device)
        self.model = load_detector(config, checkpoint, usual)
        for step in self.model.cfg.test_dataloader.dataset.pipeline if size else ():
            if type_name(step) == 'Resize':
                step.scale = scale_to(step.scale, size)
        self.classes = tuple(self.model.dataset_meta['classes'])

    def __call__(self, image: ndarray | str | Path) -> tuple[ndarray, ndarray, ndarray]:
        image = as_image(image)
        found = self._infer(self.model, pad_thin(image)).pred_instances.cpu()
        boxes = found.bboxes.numpy().clip(0, image.shape[1::-1] * 2)
        return boxes, found.scores.numpy(), found.labels.numpy()


def _mmdetection(device: str | None = None) -> tuple[Callable, Callable, str]:
    try:
        import torch
        from mmdet.apis import inference_detector

        from .detector import load_detector
    except ImportError as error:
        raise ImportError(
            f'a config and its checkpoint need PyTorch and MMDetection ({error}): '
            "pip install 'shufflenet_det[lite]'"
        ) from error
    device = device or ('cuda:0' if torch.cuda.is_available() else 'cpu')
    try:
        torch.zeros(1, device=device).cpu()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        cause = str(error).splitlines()[0]
        raise ValueError(f'device {device}: PyTorch cannot use it here ({cause})') from error
    return load_detector, inference_detector, device


def is_exported(model: str) -> bool:
    """Whether a name is that of an exported file, here or in the package."""
    return packaged_file(model) is not None or Path(model).suffix.lower() in EXPORTED


def load_predictor(
    model: str,
    checkpoint: str | None = None,
    device: str | None = None,
    size: int | None = None,
) -> Predictor:
    """A predictor from a config and its checkpoint, from an exported file, or a published one.

    Args:
        model: Config file, file of tools/export.py, or a name in ``published.PUBLISHED``.
        checkpoint: Of a config; of a published model in place of the file that is fetched.
        device, size: As in :class:`MMDetPredictor`.

    Raises:
        ValueError: If a config has no checkpoint, or an exported file a checkpoint or a device.
        OSError, ValueError, ImportError: As ``published.fetch`` and :class:`MMDetPredictor`.
    """
    if packaged_file(model) is not None:
        fetch(PUBLISHED[model])  # checks it
    elif model in PUBLISHED:
        _mmdetection()  # asked for before the download
        row = PUBLISHED[model]
        config = config_path(f'shufflenet_det::{row.config}')
        return MMDetPredictor(str(config), str(checkpoint or fetch(row)), device, size)
    elif not is_exported(model):
        if checkpoint is None:
            kind = (
                'a config needs a checkpoint' if Path(model).exists() else 'no such file or model'
            )
            raise ValueError(
                f'{model}: {kind}; give CONFIG CHECKPOINT, an exported file alone, or a name of '
                f'{", ".join(PUBLISHED)}'
            )
        return MMDetPredictor(model, checkpoint, device, size)
    if checkpoint is not None or device is not None:
        raise ValueError(f'{model}: an exported file takes no checkpoint and no device')
    from .runtime import Detector  # runtimes are optional requirements

    return Detector(model, size=size)
