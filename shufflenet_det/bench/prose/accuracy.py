"""Figures of accuracy, and of what the harness counted."""

from __future__ import annotations

from statistics import mean, stdev

from shufflenet_det.bench.paper.table7 import PAPER

from .records import Figure, Records
from .words import listed, share


def quickstart(records: Records) -> str:
    """What the quickstart takes and reaches."""
    result = records['demo_curve']
    last, minutes = result['curve'][-1], result['whole_quickstart_seconds'] / 60
    return (
        f'{last["epoch"]} epochs from scratch on two CPU cores, {minutes:.1f} minutes with '
        f'everything on a quiet machine: bbox mAP {share(last["bbox_mAP"])} (AP50 '
        f'{share(last["bbox_mAP_50"])})'
    )


def overfit(records: Records) -> str:
    """What is learnt by heart."""
    last = records['overfit_curve']['curve'][-1]
    ap, ap50 = share(last['bbox_mAP']), share(last['bbox_mAP_50'])
    return f'bbox mAP {ap} (AP50 {ap50}) after {last["epoch"]} epochs'


def _means(record: str, key: str, records: Records) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for cell in records[record]['cells']:
        found.setdefault(cell[key], []).append(cell['mmAP'])
    return dict(sorted(found.items(), key=lambda item: -mean(item[1])))


def _spread(values: list[float]) -> str:
    return f'{mean(values):.1f} ± {stdev(values):.1f}'


def table7(records: Records) -> str:
    """Mean and spread of every backbone, from the best."""
    found = _means('table7_demo_cpu', 'backbone', records)
    return listed(f'{name} {_spread(values)}' for name, values in found.items())


def table7_order(records: Records) -> str:
    """Whether the best two are those of the paper's first column."""
    ours = list(_means('table7_demo_cpu', 'backbone', records))
    printed = sorted(PAPER, key=lambda name: -PAPER[name][0][0])
    agree = 'as here' if ours[:2] == printed[:2] else f'here {listed(ours[:2])} do'
    return f'{listed(printed[:2])} lead at 40M, {agree}'


def residual(records: Records) -> str:
    """V2 with residual units beside plain ones."""
    found = _means('residual_demo_cpu', 'units', records)
    return ', '.join(f'{_spread(values)} {name}' for name, values in found.items())


def pixels(records: Records) -> str:
    """How far an exported NanoDet's boxes lie from PyTorch's."""
    return f'{max(row["pixels"] for row in records["nanodet_coco128"]["rows"]):.1g} px'


def drill(records: Records) -> str:
    """What the long drill tried."""
    result = records['fault_drill']
    minutes = sum(outcome['seconds'] for outcome in result['outcomes']) / 60
    tried = f'{result["tried"]} faults and {result["fuzzed"]:,} mutated inputs'
    return f'{minutes:.0f} minutes for {tried}'


def load(records: Records) -> str:
    """How long the load test was."""
    trained, evaluated = (records['load_cpu'][part][-1]['step']
                          for part in ('training', 'evaluation'))  # fmt: skip
    return f'trained {trained:,} iterations and evaluated {evaluated:,} images'


def flat(records: Records) -> str:
    """Bounds of the load test that held."""
    verdicts = records['load_cpu']['verdicts']
    return f'{sum(row["flat"] for row in verdicts)} of {len(verdicts)} bounds held'


FIGURES: dict[str, Figure] = {
    'quickstart': quickstart,
    'overfit': overfit,
    'table7': table7,
    'table7-order': table7_order,
    'residual': residual,
    'nanodet-px': pixels,
    'drill': drill,
    'load': load,
    'load-flat': flat,
}
"""Name -> what makes it."""
