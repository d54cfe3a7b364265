"""Export a detector to ONNX: python tools/export_onnx.py CONFIG CHECKPOINT OUT.onnx"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.deploy.onnx_export import OPSETS, save_onnx, to_onnx
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.deploy.quantize import quantise
from shufflenet_det.deploy.sources import find_images
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.own_photos import Run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', metavar='OUT.onnx')
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        '--backbone-only', dest='output', action='store_const', const='levels',
        help="the backbone's feature levels, for any detector with our backbone",
    )  # fmt: skip
    form.add_argument(
        '--without-postprocess', dest='output', action='store_const', const='rois',
        help='boxes and scores of all RoIs, without NMS in each class',
    )  # fmt: skip
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument('--fp16', action='store_true', help='layers in half precision')
    precision.add_argument(
        '--int8', metavar='CALIBRATION_DIR', help='layers in int8, calibrated on these images'
    )
    parser.add_argument('--opset', type=int, default=OPSETS[0], help=f'{OPSETS[0]} to {OPSETS[-1]}')
    parser.add_argument(
        '--align', type=int, choices=(1, 8, 16),
        help="pad pieces of channels to so many (default: 16 if this machine's CPU has AVX-512, "
        'else 1)',
    )  # fmt: skip
    parser.set_defaults(output='detections')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    if not Path(args.out).absolute().parent.is_dir():
        raise FileNotFoundError(f'{args.out}: the folder does not exist; make it first')
    calibration = find_images(args.int8) if args.int8 else []
    model = MMDetPredictor(args.config, args.checkpoint, 'cpu').model
    cfg = load_config(args.config, run=Run.after(args.checkpoint))
    proto = to_onnx(model, cfg, args.output, args.fp16, args.opset, args.align)
    if args.int8:
        proto = quantise(proto, calibration)
    save_onnx(proto, args.out)
    nodes = Counter(node.op_type for node in proto.graph.node)
    print(f'{args.out}: opset {proto.opset_import[0].version}, {nodes.total()} nodes')
    print(', '.join(f'{count} {name}' for name, count in nodes.most_common()))


if __name__ == '__main__':
    run_tool(main)
