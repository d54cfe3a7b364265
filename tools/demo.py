"""Open a page that detects in a picture or the camera: python tools/demo.py [MODEL.onnx ...]"""

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.checkpoints.published import PUBLISHED
from shufflenet_det.deploy.demo import Demo, page


def port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f'{text} is no port, allowed is 1 to 65535')
    return int(text)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('models', nargs='*', metavar='MODEL.onnx', help='beside published ones')
    parser.add_argument('--device', help='cpu, cuda:0, ... (default: a GPU if there is one)')
    parser.add_argument('--port', type=port, help='default: the first free one from 7860')
    parser.add_argument('--no-browser', action='store_true', help='only print the address')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    models = [*args.models, *PUBLISHED]
    page(Demo(models, args.device), models).launch(
        server_port=args.port, inbrowser=not args.no_browser
    )


if __name__ == '__main__':
    run_tool(main)
