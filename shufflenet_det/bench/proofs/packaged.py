"""What the detector of blood cells that travels with the package finds."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pycocotools.coco import COCO
from torchvision.ops import box_iou

from shufflenet_det.bench.tables import Table
from shufflenet_det.data.photos import PHOTO_SETS
from shufflenet_det.data.smear import CLASSES, draw_smear
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.training.launch import load_config

SET, SPLIT = 'bccd', 'test'
SCORE, IOU = 0.3, 0.5
"""Of a detection that counts in the drawn smear."""


@dataclass(frozen=True)
class Reached:
    """AP of a form of the detector on the photographs of the test split.

    Args:
        form: PyTorch, or the packaged file.
        mib: Size of the file.
        ap: Over IoU 0.50:0.95.
        ap50: At IoU 0.50.
    """

    form: str
    mib: float
    ap: float
    ap50: float


@dataclass(frozen=True)
class Counted:
    """Cells of a kind in the drawn smear.

    Args:
        name: Of the class.
        drawn: How many there are.
        found: Detections with a score of SCORE or more.
        right: Drawn cells that one of them covers with IOU or more.
    """

    name: str
    drawn: int
    found: int
    right: int


def export(config: str, checkpoint: str, out: Path) -> None:
    """Write the file that travels: the whole detector, weights in half precision."""
    from shufflenet_det.deploy.half_weights import halve_weights  # needs onnx
    from shufflenet_det.deploy.onnx_export import save_onnx, to_onnx

    proto = to_onnx(MMDetPredictor(config, checkpoint, 'cpu').model, load_config(config), align=1)
    halve_weights(proto)
    save_onnx(proto, out)


def examine(config: str, checkpoint: str, file: Path, data: Path) -> dict:
    """Measure checkpoint and packaged file.

    Args:
        config, checkpoint: What the file was exported from.
        file: The .onnx file.
        data: Folder of the photographs, ``bccd`` in the layout of ``configs/photos``.
    """
    from shufflenet_det.deploy.evaluate import coco_ap, detect_all
    from shufflenet_det.deploy.runtime import Detector

    row, reached = PHOTO_SETS[SET], []
    images = data / row.dataset(SPLIT)['data_prefix']['img']
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(data / row.annotation_file(SPLIT)))
    detectors = {
        'PyTorch': (MMDetPredictor(config, checkpoint, 'cpu'), Path(checkpoint)),
        'packaged': (Detector(file, num_threads=1), file),
    }
    for form, (detector, path) in detectors.items():
        aps = coco_ap(detect_all(detector, coco, images), detector.classes, coco)
        reached.append(Reached(form, round(path.stat().st_size / 2**20, 2), *aps))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    smear = count_cells(detectors['packaged'][0])
    return dict(rows=reached, smear=smear, sha256=digest, images=len(coco.imgs))


def count_cells(detector, seed: int = 0) -> list[Counted]:
    """What a detector finds in the smear of a seed, beside what is drawn there."""
    smear = draw_smear(seed=seed)
    boxes, scores, labels = detector(smear.pixels)
    boxes, labels = boxes[scores >= SCORE], labels[scores >= SCORE]
    counted = []
    for label, name in enumerate(CLASSES):
        drawn, found = smear.boxes[smear.labels == label], boxes[labels == label]
        covers = box_iou(torch.from_numpy(drawn), torch.from_numpy(found)) >= IOU
        counted.append(Counted(name, len(drawn), len(found), int(covers.any(1).sum())))
    return counted


def tables(result: Mapping) -> list[Table]:
    """The views of a result."""
    rows = tuple(
        (r['form'], r['mib'], round(100 * r['ap'], 1), round(100 * r['ap50'], 1))
        for r in result['rows']
    )
    cells = tuple((c['name'], c['drawn'], c['right'], c['found']) for c in result['smear'])
    return [
        Table('packaged', f'On the {result["images"]} photographs of the test split; MiB of '
              "PyTorch: the checkpoint, with the optimizer's state and both sets of weights.",
              ('form', 'MiB', 'AP', 'AP50'), rows),
        Table('smear', 'In the smear that `tools/draw_smear.py` draws; a cell is found where a box '
              f'of its class covers it with IoU {IOU} and scores {SCORE}.',
              ('class', 'drawn', 'found', 'boxes'), cells),
    ]  # fmt: skip
