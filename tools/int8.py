"""AP and time in int8: python tools/int8.py SET=CONFIG=CHECKPOINT --photos DIR --out FILE"""

import argparse
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench import command_line
from shufflenet_det.bench.environment import earlier_result
from shufflenet_det.bench.proofs import int8
from shufflenet_det.bench.timing import REPEAT, measure


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('trained', nargs='+', metavar='SET=CONFIG=CHECKPOINT', help='detectors')
    parser.add_argument('--photos', type=Path, required=True, help='folder of the sets')
    parser.add_argument('--work', type=Path, default=Path('work_dirs/int8'),
                        help='folder of the measured files (default: %(default)s)')  # fmt: skip
    parser.add_argument('--choices', action='store_true', help='AP by every method, too')
    command_line.add_machine_arguments(parser, turns=20)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    detectors = [int8.Trained.parse(text) for text in args.trained]
    before = earlier_result(args.out, 'int8')  # AP of equal files is taken over
    command_line.prepare_machine(args)
    args.work.mkdir(parents=True, exist_ok=True)
    places = args.photos, args.work
    rows, choices, runs = [], before.get('choices', []), {}
    for trained in detectors:
        rows += int8.examine(trained, *places, before.get('rows', []))
        runs |= int8.calls(trained, *places, args.threads)
    if args.choices:
        choices = [c for trained in detectors for c in int8.choices(trained, *places)]
    *timings, again = measure(
        runs | {REPEAT: next(iter(runs.values()))}, 'cpu', args.turns, args.seconds,
        images=int8.TIMED_IMAGES, untraced=tuple(runs),
    )  # fmt: skip
    times = [
        dict(data=data, runtime=form.runtime, precision=form.precision, timing=timing)
        for (data, form), timing in zip(runs, timings, strict=True)
    ]
    command_line.finish(args, 'int8', None, rows=rows, choices=choices, times=times, again=again)


if __name__ == '__main__':
    run_tool(main)
