"""Draw the first picture of the README: python tools/front_page.py OUT.jpg [--checkpoint FILE]"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.data.photographs import photograph
from shufflenet_det.data.pixels import read_image
from shufflenet_det.data.smear import draw_smear
from shufflenet_det.deploy.drawing import draw, fit
from shufflenet_det.deploy.predict import load_predictor

PHOTOGRAPHED = ('astronaut', 'cat', 'coffee')
MODEL, CELLS = 'nanodet-plus-m-416', 'blood-cells'
TILE, COLUMNS = (440, 300), 2
SCORE, QUALITY = 0.45, 85


def tile(predictor, image: np.ndarray) -> np.ndarray:
    """The image in the size of a tile, detected in its own size and drawn on in the tile's."""
    factor = min(side / whole for side, whole in zip(TILE, image.shape[1::-1], strict=True))
    boxes, scores, labels = predictor(image)
    keep = scores >= SCORE
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    drawn = draw(small, boxes[keep] * factor, scores[keep], labels[keep], predictor.classes)
    return fit(drawn, TILE, 255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', metavar='OUT.jpg')
    parser.add_argument('--checkpoint', help=f'a file in place of the fetched one of {MODEL}')
    args = parser.parse_args()
    objects, cells = load_predictor(MODEL, args.checkpoint), load_predictor(CELLS)
    tiles = [tile(objects, read_image(photograph(name))) for name in PHOTOGRAPHED]
    tiles.append(tile(cells, draw_smear().pixels))
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    replace_file(args.out, cv2.imencode('.jpg', np.vstack(rows), quality)[1].tobytes())


if __name__ == '__main__':
    run_tool(main)
