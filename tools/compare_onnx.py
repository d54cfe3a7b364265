"""mAP of exported models beside PyTorch's: compare_onnx.py CONFIG CHECKPOINT MODEL.onnx ..."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.checkpoints.atomic import new_file
from shufflenet_det.data.coco_dataset import CheckedCoco
from shufflenet_det.deploy.evaluate import MATCH, agreement, coco_ap, detect_all, matching
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.deploy.runtime import Detector
from shufflenet_det.deploy.stream import SURE


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('models', nargs='+', metavar='MODEL.onnx')
    parser.add_argument('--annotations', required=True, help='COCO-format annotation file')
    parser.add_argument('--images', required=True, help='folder of its images')
    parser.add_argument('--out', type=new_file, metavar='FILE', help='write the numbers')
    return parser.parse_args(argv)


def described(row: dict) -> str:
    """What a row says, in one line."""
    text = '{model} ({precision}): mAP {mAP:.4f}, {same} of {detections} detections the same'
    if row['same']:
        text += ', apart by at most {pixels:.2g} px and {score:.2g}'
    text += f'; of {{sure}} with score >= {SURE} {{matched}} are found with IoU >= {MATCH}'
    if row['matched']:
        text += ' (mean IoU {iou:.3f}, scores apart by {score_change:.3f} in the mean)'
    return f'{text}, {{added}} are new'.format(**row)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    rows = []
    coco = CheckedCoco(args.annotations, args.images)
    detectors = [Detector(model) for model in args.models]
    predictor = MMDetPredictor(args.config, args.checkpoint, 'cpu')
    reference = detect_all(predictor, coco, args.images)
    exact = coco_ap(reference, predictor.classes, coco)[0]
    for model, detector in zip(args.models, detectors, strict=True):
        found = detect_all(detector, coco, args.images)
        mean_ap = coco_ap(found, detector.classes, coco)[0]
        row = dict(model=Path(model).name, precision=detector.info.precision, mAP=mean_ap)
        compared = asdict(agreement(found, reference)) | asdict(matching(found, reference))
        rows.append(row | compared)
    print(f'PyTorch: mAP {exact:.4f}')
    print('\n'.join(map(described, rows)))
    if args.out:
        config = Path(args.config).name
        env = environment('cpu', batch=1)
        write_result(args.out, 'onnx', env, config=config, pytorch=dict(mAP=exact), rows=rows)


if __name__ == '__main__':
    run_tool(main)
