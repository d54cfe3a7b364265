"""Detect objects in images: detect.py IMAGE_OR_DIR CONFIG CHECKPOINT, IMAGE_OR_DIR MODEL.onnx, or
IMAGE_OR_DIR --model NAME"""

import argparse
import sys

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.checkpoints.published import PUBLISHED
from shufflenet_det.deploy.predict import contact_sheet, detect, find_images, load_predictor


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw detections and write them as COCO JSON')
    parser.add_argument('images', help='an image, or a folder of images')
    parser.add_argument(
        'config', nargs='?', help='config file, or an .onnx file of tools/export_onnx.py'
    )
    parser.add_argument('weights', nargs='?', help='checkpoint file of a config')
    parser.add_argument(
        '--model', metavar='NAME', choices=PUBLISHED,
        help=f'a published one, fetched once: {", ".join(PUBLISHED)}',
    )  # fmt: skip
    parser.add_argument('--checkpoint', metavar='FILE', help='a file in place of the fetched one')
    parser.add_argument('--out-dir', default='detections', help='pictures and detections.json')
    parser.add_argument('--score-thr', type=float, default=0.3)
    parser.add_argument('--sheet', metavar='PNG', help='the first pictures side by side')
    parser.add_argument('--device', help='cpu, cuda:0, ... (default: a GPU if there is one)')
    args = parser.parse_args()
    if (args.config is None) == (args.model is None):
        parser.error('give a config, an .onnx file, or --model NAME')
    return args


def main() -> None:
    args = parse_args()
    images = find_images(args.images)
    predictor = load_predictor(
        args.model or args.config, args.checkpoint or args.weights, args.device
    )
    pictures, unreadable = detect(predictor, images, args.out_dir, args.score_thr)
    if args.sheet and pictures:
        contact_sheet(pictures[:8], args.sheet)
    print(f'pictures and detections.json are in {args.out_dir}')
    if unreadable:
        no_sheet = f', so that {args.sheet} is not written' if args.sheet and not pictures else ''
        sys.exit(f'{len(unreadable)} of {len(images)} images could not be read{no_sheet}')


if __name__ == '__main__':
    run_tool(main)
