"""Convert a ShuffleNet V2 checkpoint of any layout: convert_checkpoint.py IN OUT [--to LAYOUT]."""

from __future__ import annotations

import argparse

from run_tool import run_tool

from shufflenet_det.checkpoints import convert, detect_layout, read_checkpoint, write_state_dict
from shufflenet_det.checkpoints.download import resolve
from shufflenet_det.checkpoints.naming import TARGETS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', metavar='IN', help='path, URL or torchvision://NAME')
    parser.add_argument('output', metavar='OUT', help='file to write, .pth or .safetensors')
    parser.add_argument('--to', choices=TARGETS, default='torchvision', help='layout of OUT')
    parser.add_argument('--prefix', help='which backbone, for a file with several')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    checkpoint = read_checkpoint(resolve(args.input))
    layout = detect_layout(checkpoint, args.prefix)
    state_dict = convert(checkpoint, args.to, args.prefix)
    digest = write_state_dict(state_dict, args.output)
    print(f'layout   {layout} -> {args.to}')
    print(f'tensors  {len(state_dict)}')
    print(f'sha256   {digest}  {args.output}')


if __name__ == '__main__':
    run_tool(main)
