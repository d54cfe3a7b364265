"""Detect objects: detect.py SOURCE CONFIG CHECKPOINT, SOURCE MODEL, or SOURCE --model NAME"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from run_tool import run_tool
from tqdm import tqdm

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.checkpoints.published import PUBLISHED
from shufflenet_det.deploy.drawing import check_sheet, contact_sheet
from shufflenet_det.deploy.predict import load_predictor
from shufflenet_det.deploy.sinks import SINKS, Pictures, open_sinks, usual_sinks
from shufflenet_det.deploy.sources import KINDS, open_source
from shufflenet_det.deploy.stream import SURE, Found, detect


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='; '.join(kind.what for kind in KINDS))
    parser.add_argument('config', nargs='?', help='config file, or a file of tools/export.py')
    parser.add_argument('weights', nargs='?', help='checkpoint file of a config')
    parser.add_argument(
        '--model', metavar='NAME', choices=PUBLISHED,
        help=f'a published one, fetched once: {", ".join(PUBLISHED)}',
    )  # fmt: skip
    parser.add_argument('--checkpoint', metavar='FILE', help='a file in place of the fetched one')
    parser.add_argument('--out-dir', default='detections', type=Path, help='for what is written')
    parser.add_argument(
        '--write', nargs='+', choices=SINKS, default=(),
        help='default: pictures json of images, video json of what moves; window writes nothing',
    )  # fmt: skip
    parser.add_argument('--score-thr', type=float, default=SURE, help='(default: %(default)s)')
    parser.add_argument('--size', type=int, metavar='PX', help="longer side of the model's input")
    parser.add_argument('--sheet', metavar='PNG', help='the first pictures side by side')
    parser.add_argument('--device', help='cpu, cuda:0, ... (default: a GPU if there is one)')
    args = parser.parse_args()
    if (args.config is None) == (args.model is None):
        parser.error('give a config, a file of tools/export.py, or --model NAME')
    return args


def with_bar(frames: Iterator[Found], length: int | None) -> Iterator[Found]:
    with tqdm(total=length, unit='frame', disable=None) as bar:
        for found in frames:
            if found.still:
                bar.write(f'{found.name}: {len(found.detections[0])} objects')
            bar.set_postfix_str(f'{found.ms:.1f} ms', refresh=False)
            yield found
            bar.update()


def main() -> None:
    args = parse_args()
    source = open_source(args.source)
    names = args.write or usual_sinks(source)
    if args.sheet:
        check_sheet(args.sheet, names)
    predictor = load_predictor(
        args.model or args.config, args.checkpoint or args.weights, args.device, args.size
    )
    sinks = open_sinks(names, args.out_dir, source, predictor.classes)
    times = detect(
        predictor, source, sinks, args.score_thr, lambda frames: with_bar(frames, source.length)
    )
    if args.sheet:
        contact_sheet(
            [p for s in sinks if isinstance(s, Pictures) for p in s.paths][:8], args.sheet
        )
    if times:
        print(f'{len(times)} frames, median {np.median(times):.1f} ms each: {", ".join(names)}')
        print(f'what is written is in {args.out_dir}')
    if source.faults:
        count = f'{len(source.faults)} of {len(source.parts)}'
        raise ValueError(f'{count} could not be read whole: {source.faults[0]}')


if __name__ == '__main__':
    run_tool(main)
