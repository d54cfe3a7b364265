"""Measure the stored CPU results again: python tools/record.py [NAME ...]. Resumable."""

import argparse
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (backs mmcv's ops)
from shufflenet_det.bench.command_line import RESULTS
from shufflenet_det.bench.recording import chosen, reason_to_skip, record


def main() -> None:
    parser = argparse.ArgumentParser(description='Measure stored results again, one by one')
    parser.add_argument('names', nargs='*', metavar='NAME', help='results (default: all)')
    parser.add_argument('--list', action='store_true', help='show commands and expected minutes')
    parser.add_argument('--again', action='store_true', help='also what is done')
    parser.add_argument('--accept-busy', action='store_true', help='keep what a busy machine gave')
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the JSON files')
    args = parser.parse_args()
    for recording in chosen(args.names):
        skip = reason_to_skip(recording, args.results, args.again)
        print(f'{recording.name}, {recording.minutes} min: {skip or recording.command}', flush=True)
        if not args.list and not skip:
            print(f'  {record(recording, args.results, args.accept_busy)}', flush=True)


if __name__ == '__main__':
    run_tool(main)
