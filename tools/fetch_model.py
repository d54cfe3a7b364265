"""Fetch published weights into the cache and check them: python tools/fetch_model.py NAME"""

from __future__ import annotations

import argparse

from run_tool import run_tool

from shufflenet_det.checkpoints.published import PUBLISHED, check, fetch, published


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    rows = ', '.join(f'{name} (AP {row.ap} on {row.data})' for name, row in PUBLISHED.items())
    parser = argparse.ArgumentParser(description=__doc__, epilog=rows)
    parser.add_argument('name', help='a published model')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    model = published(parse_args(argv).name)
    path = fetch(model)
    digest, known = check(model, path)
    verdict = 'verified' if known else 'unverified: no source states that of this file'
    print(f'{path}\nSHA-256 {digest} ({verdict})\n{model.licence}, {model.source}')


if __name__ == '__main__':
    run_tool(main)
