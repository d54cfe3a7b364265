"""All results as one HTML page: python tools/report.py --out report.html"""

import argparse
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (backs mmcv's ops)
from shufflenet_det.bench.command_line import RESULTS
from shufflenet_det.bench.environment import read_results
from shufflenet_det.bench.report import fill, html_report, markdown_tables, readme_differs
from shufflenet_det.checkpoints.atomic import replace_file


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Results as a page, and as tables of the README')
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the JSON files')
    parser.add_argument('--out', type=Path, help='the page, e.g. report.html')
    parser.add_argument('--readme', type=Path, help='rewrite its tables between the markers')
    parser.add_argument(
        '--check', action='store_true', help='write nothing; exit code 1 if --readme differs'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not args.out and not args.readme:
        raise ValueError('nothing to do; give --out PAGE.html or --readme README.md')
    if args.check:
        if not args.readme:
            raise ValueError('--check needs --readme README.md')
        if readme_differs(args.readme, args.results):
            raise SystemExit(f'{args.readme} differs: run tools/report.py --readme {args.readme}')
        return
    results = read_results(args.results)
    if args.readme:
        text = args.readme.read_text(encoding='utf-8')
        replace_file(args.readme, fill(text, markdown_tables(results)))
    if args.out:
        replace_file(args.out, html_report(results))
        print(f'{len(results)} results in {args.out}')


if __name__ == '__main__':
    run_tool(main)
