"""Export a detector: python tools/export.py CONFIG CHECKPOINT --to FORMAT"""

from __future__ import annotations

import argparse
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.checkpoints.atomic import check_file, replace_file
from shufflenet_det.deploy.exporting import export
from shufflenet_det.deploy.formats import FORMATS
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.deploy.request import Request
from shufflenet_det.deploy.sources import find_images
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.own_photos import Run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--to', choices=FORMATS, default='onnx', help='(default: %(default)s)')
    parser.add_argument('--out', help="file (default: the config's name with the format's ending)")
    parser.add_argument('--precision', choices=('fp32', 'fp16', 'int8'), default='fp32')
    parser.add_argument('--calibration', metavar='DIR', help='images that int8 is calibrated on')
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        '--backbone-only', dest='output', action='store_const', const='levels',
        help="onnx only: the backbone's feature levels, for any detector with our backbone",
    )  # fmt: skip
    form.add_argument(
        '--without-postprocess', dest='output', action='store_const', const='rois',
        help='onnx only: boxes and scores of all RoIs, without NMS in each class',
    )  # fmt: skip
    parser.add_argument('--opset', type=int, default=18, help='of ONNX graphs, 18 to 20')
    parser.add_argument(
        '--align', type=int, choices=(1, 8, 16),
        help="onnx only: pad pieces of channels to so many (default: 16 if this machine's CPU has "
        'AVX-512, else 1)',
    )  # fmt: skip
    parser.set_defaults(output='detections')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    images = find_images(args.calibration) if args.calibration else []
    request = Request(args.to, args.precision, args.output, images, args.opset, args.align)
    out = Path(args.out or Path(args.config).stem + request.format.suffix)
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(f'{out}: the folder does not exist; make it first')
    check_file(out)
    model = MMDetPredictor(args.config, args.checkpoint, 'cpu').model
    content = export(model, load_config(args.config, run=Run.after(args.checkpoint)), request)
    replace_file(out, content)
    print(f'{out}: {args.to}, {args.precision}, {len(content) / 2**20:.1f} MiB')


if __name__ == '__main__':
    run_tool(main)
