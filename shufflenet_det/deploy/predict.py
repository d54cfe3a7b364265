"""Detection on image files: pictures with boxes and one COCO-format file."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import mmcv
import numpy as np
import torch
from mmdet.apis import inference_detector
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData
from numpy import ndarray
from PIL import Image

from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.checkpoints.published import PUBLISHED, fetch
from shufflenet_det.data.coco import coco_results
from shufflenet_det.data.pixels import as_image, pad_thin, read_image
from shufflenet_det.integration.config_scope import config_path
from shufflenet_det.training.metric import check_predictions

from .detector import load_detector

IMAGE_SUFFIXES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


class Predictor(Protocol):
    """Anything that finds objects in an image.

    Called with a BGR image (H, W, 3) uint8 or an image file, it returns boxes (K, 4) x1, y1, x2, y2
    in its pixels, scores (K,) and labels (K,), an index into ``classes``.
    """

    classes: Sequence[str]

    def __call__(self, image: ndarray | str | Path) -> tuple[ndarray, ndarray, ndarray]: ...


class MMDetPredictor:
    """A detector of MMDetection from its config and checkpoint.

    Args:
        config: Config file.
        checkpoint: Checkpoint file.
        device: ``cpu``, ``cuda:0``, ...; None takes a GPU where there is one.
    """

    def __init__(self, config: str, checkpoint: str, device: str | None = None) -> None:
        device = device or ('cuda:0' if torch.cuda.is_available() else 'cpu')
        self.model = load_detector(config, checkpoint, device)
        self.classes = tuple(self.model.dataset_meta['classes'])

    def __call__(self, image: ndarray | str | Path) -> tuple[ndarray, ndarray, ndarray]:
        image = as_image(image)
        found = inference_detector(self.model, pad_thin(image)).pred_instances.cpu()
        boxes = found.bboxes.numpy().clip(0, image.shape[1::-1] * 2)
        return boxes, found.scores.numpy(), found.labels.numpy()


def load_predictor(
    model: str, checkpoint: str | None = None, device: str | None = None
) -> Predictor:
    """A predictor from a config and its checkpoint, from an .onnx file, or a published one.

    Args:
        model: Config file, .onnx file, or a name in ``published.PUBLISHED``.
        checkpoint: Of a config; of a published model in place of the file that is fetched.
        device: As in :class:`MMDetPredictor`.

    Raises:
        ValueError: If a config has no checkpoint, or an .onnx file a checkpoint or a device.
        OSError, ValueError: As ``published.fetch``.
    """
    if model in PUBLISHED:
        row = PUBLISHED[model]
        config = config_path(f'shufflenet_det::{row.config}')
        return MMDetPredictor(str(config), str(checkpoint or fetch(row)), device)
    if Path(model).suffix != '.onnx':
        if checkpoint is None:
            raise ValueError(f'{model}: a config needs a checkpoint; or give an .onnx file alone')
        return MMDetPredictor(model, checkpoint, device)
    if checkpoint is not None or device is not None:
        raise ValueError(f'{model}: an .onnx file takes no checkpoint and no device: leave it out')
    from .runtime import Detector  # onnxruntime is an optional requirement

    return Detector(model)


def find_images(path: str | Path) -> list[Path]:
    """The image itself, or the images of a folder in the order of their names.

    Raises:
        FileNotFoundError: If the path does not exist or the folder has no image.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    found = sorted(p for p in path.glob('*') if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise FileNotFoundError(
            f'no image at {path}: give an image file or a folder with files that end in '
            f'{", ".join(IMAGE_SUFFIXES)}'
        )
    return found


def detect(
    predictor: Predictor, images: Sequence[Path], out_dir: str | Path, score_thr: float = 0.3
) -> tuple[list[Path], list[Path]]:
    """Detect on images; write a picture with boxes for each, and detections.json.

    The picture of a.jpg is a.png; where there is an a.gif too, they are a.jpg.png and a.gif.png.

    Args:
        predictor: The detector.
        images: Image files.
        out_dir: Folder for the pictures and detections.json, which holds images, categories and
            annotations with a score, boxes as x, y, width, height in pixels.
        score_thr: Boxes below it are neither drawn nor written.

    Returns:
        The pictures, and the images that could not be read; each is reported on stderr.

    Raises:
        ValueError: Naming the image, if a prediction is undefined, e.g. NaN.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    visualizer = _visualizer(predictor.classes)
    categories = [dict(id=i, name=name) for i, name in enumerate(predictor.classes)]
    coco = dict(images=[], annotations=[], categories=categories)
    pictures, unreadable = [], []
    stems = Counter(path.stem for path in images)
    for path in images:
        image = _read_or_report(path)
        if image is None:
            unreadable.append(path)
            continue
        found = _detections(predictor, path, image, score_thr)
        _append(coco, path, image.shape, found)
        name = path.stem if stems[path.stem] == 1 else path.name
        pictures.append(out_dir / f'{name}.png')
        _draw(visualizer, pictures[-1], image, found)
        print(f'{path}: {len(found.bboxes)} objects')
    replace_file(out_dir / 'detections.json', json.dumps(coco))
    return pictures, unreadable


def contact_sheet(
    pictures: Sequence[Path], out_file: str | Path, columns: int = 4, side: int = 200
) -> None:
    """Write small pictures side by side as one PNG of 128 colours.

    Args:
        pictures: Image files, row by row.
        out_file: The PNG.
        columns: Pictures in a row.
        side: Longer side of each, in px.

    Raises:
        ValueError: If there is no picture.
    """
    if not pictures:
        raise ValueError(f'{out_file}: there is no picture to put on the sheet')
    tiles = [mmcv.imrescale(mmcv.imread(str(p), channel_order='rgb'), (side, side))
             for p in pictures]  # fmt: skip
    tiles = [mmcv.impad(tile, shape=(side, side), pad_val=(255,) * 3) for tile in tiles]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    Image.fromarray(np.vstack(rows)).quantize(128).save(out_file, optimize=True)


def _read_or_report(path: Path) -> ndarray | None:
    try:
        return read_image(path)
    except (OSError, ValueError) as error:
        print(f'skipped: {error}', file=sys.stderr)
        return None


def _detections(predictor: Predictor, path: Path, image: ndarray, score_thr: float) -> InstanceData:
    boxes, scores, labels = predictor(image)
    check_predictions(path, boxes, scores, labels, len(predictor.classes))
    keep = scores >= score_thr
    return InstanceData(bboxes=boxes[keep], scores=scores[keep], labels=labels[keep])


def _append(coco: dict, path: Path, shape: tuple[int, ...], found: InstanceData) -> None:
    image_id, ids = len(coco['images']), [category['id'] for category in coco['categories']]
    coco['images'].append(dict(id=image_id, file_name=path.name, height=shape[0], width=shape[1]))
    for result in coco_results(image_id, found.bboxes, found.scores, found.labels, ids):
        _, _, width, height = result['bbox']
        number = len(coco['annotations']) + 1
        coco['annotations'].append(dict(result, id=number, area=width * height, iscrowd=0))


def _visualizer(classes: Sequence[str]) -> DetLocalVisualizer:
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(classes=classes, palette='random')
    return visualizer


def _draw(
    visualizer: DetLocalVisualizer, out_file: Path, image: ndarray, found: InstanceData
) -> None:
    sample = DetDataSample(pred_instances=found.to_tensor())
    rgb = np.ascontiguousarray(image[..., ::-1])
    visualizer.add_datasample(
        out_file.stem, rgb, sample, draw_gt=False, pred_score_thr=0.0, out_file=str(out_file)
    )
