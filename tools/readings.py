"""Macs of the paper's networks in every reading of its text: python tools/readings.py"""

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the backbones)
from shufflenet_det.bench.command_line import RESULTS
from shufflenet_det.bench.environment import write_result
from shufflenet_det.bench.paper.readings import reading_table, readings
from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=new_file, default=f'{RESULTS}/readings.json', help='result')
    args = parser.parse_args()
    result = write_result(args.out, 'readings', {}, rows=readings())
    print(markdown(reading_table(result)))


if __name__ == '__main__':
    run_tool(main)
