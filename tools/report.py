"""The results as tables and figures of the pages, and as one HTML page: report.py --readme"""

import argparse
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (backs mmcv's ops)
from shufflenet_det.bench.command_line import RESULTS
from shufflenet_det.bench.environment import read_results
from shufflenet_det.bench.report import every_page, fill, html_report, readme_differs
from shufflenet_det.checkpoints.atomic import new_file, replace_file


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Results as a page, and as tables of the README')
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the JSON files')
    parser.add_argument('--out', type=new_file, help='the page, e.g. report.html')
    parser.add_argument(
        '--readme', type=Path, nargs='*', metavar='PAGE',
        help='rewrite the tables and figures between its markers; of all pages where none is named',
    )  # fmt: skip
    parser.add_argument(
        '--check', action='store_true', help='write nothing; exit code 1 if a page differs'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not args.out and args.readme is None:
        raise ValueError('nothing to do; give --out PAGE.html or --readme [README.md ...]')
    pages = [] if args.readme is None else args.readme or sorted(every_page())
    if args.check:
        if args.readme is None:
            raise ValueError('--check needs --readme')
        wrong = ' '.join(str(page) for page in pages if readme_differs(page, args.results))
        if wrong:
            raise SystemExit(f'{wrong} differs: run tools/report.py --readme {wrong}')
        return
    results = read_results(args.results)
    for page in pages:
        text = page.read_text(encoding='utf-8')
        if (filled := fill(text, results)) != text:
            replace_file(page, filled)
            print(f'{page} is written anew')
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(args.out, html_report(results))
        print(f'{len(results)} results in {args.out}')


if __name__ == '__main__':
    run_tool(main)
