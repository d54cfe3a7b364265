"""Figures of accuracy on photographs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from statistics import mean

from shufflenet_det.bench.budget.prediction import rank_correlation

from .records import Figure, Records
from .words import listed, share, span

DETECTORS = {
    'lighthead_fpn_1.0x_320': 'Light-Head R-CNN',
    'lighthead_fpn_1.0x_416': 'Light-Head R-CNN at 416 px',
    'gfl_1.0x_320': 'GFL',
    'rtmdet_1.0x_320': "RTMDet's head",
    'nanodet_plus_1.0x_320': 'NanoDet-Plus',
    'retinanet_1.0x_320': 'RetinaNet',
    'yolox_1.0x_320': "YOLOX's head",
    'ssdlite_1.0x_320': 'SSDLite',
    'faster_rcnn_1.0x_320': 'Faster R-CNN',
}
OURS, RECIPE = 'lighthead_fpn_1.0x_320', 'the recipe'
COMPARISON = 'photos_comparison'


def _steps(records: Records) -> dict[str, Mapping]:
    return {row['step']: row for row in records['photos_recipe']['rows'] if 'error' not in row}


def steps(*names: str, of: str = 'AP') -> Figure:
    """AP of the validation split, or recall of so many proposals, after steps of the search."""

    def figure(records: Records) -> str:
        found = (_steps(records)[name]['val'] for name in names)
        return listed(share(v[of] if of in v else v['recall'][of]) for v in found)

    return figure


def _whole_steps(data: str, records: Records) -> dict[str, Mapping]:
    rows = [row for row in records['photos_augmentation']['rows'] if 'error' not in row]
    return {row['step']: row for row in rows if row['data'] == data}


def whole_steps(*names: str) -> Figure:
    """AP of blood cells' validation split after steps of the search over whole schedules."""

    def figure(records: Records) -> str:
        found = _whole_steps('bccd', records)
        return listed(share(found[name]['val']['AP']) for name in names)

    return figure


def units(data: str, records: Records) -> str:
    """AP of the validation split with 256 units in the box head, and with today's."""
    today = next(row for row in _rows(data, OURS, records) if row['seed'] == 0)
    rows = (_whole_steps(data, records)['BN over all levels'], today)
    return listed(share(row['val']['AP']) for row in rows)


def overfit(records: Records) -> str:
    """Where AP of blood cells' validation split was best in the longest training, and its end."""
    return _peak(_whole_steps('bccd', records)['35 epochs']['curve'])


def _alone(records: Records) -> dict[str, float]:
    rows = (row for row in records['photos_switches']['rows'] if 'error' not in row)
    return {row['step']: row['test']['AP'] for row in rows}


def alone(source: str, ours: str, records: Records) -> str:
    """AP of the test split by a paper's or its code's setting and by ours, all else the same."""
    found = _alone(records)
    return f'AP {share(found[source])} so, {share(found[ours])} by ours'


def alone_far(records: Records) -> str:
    """The points that move AP by .03 or more, the largest first."""
    found = _alone(records)
    effects = {step: ap - found[RECIPE] for step, ap in found.items()}
    far = sorted((e, step) for step, e in effects.items() if abs(e) >= 0.03)
    return listed(f'{step} ({"+" if e > 0 else "-"}{share(abs(e))})' for e, step in far)


def _rows(data: str, config: str, records: Records) -> list[Mapping]:
    rows = [row for row in records[COMPARISON]['rows'] if 'error' not in row]
    return [row for row in rows if (row['data'], row['config']) == (data, config)]


def photographs(data: str, records: Records) -> str:
    """The detectors on a test split, mean over the seeds."""
    return listed(
        f'{name} AP {_mean(rows, "AP")}, AP50 {_mean(rows, "AP50")}'
        for config, name in DETECTORS.items()
        if (rows := _rows(data, config, records))
    )


def _mean(rows: list[Mapping], key: str) -> str:
    return share(mean(row['test'][key] for row in rows))


def forward_ms(records: Records) -> str:
    """CPU ms of the detectors, over the sets."""
    rows = [row for row in records[COMPARISON]['rows'] if 'error' not in row]
    ms = {name: [row['cpu_ms'] for row in rows if row['config'] == config]
          for config, name in DETECTORS.items()}  # fmt: skip
    return listed(f'{name} {span(values, ".0f", " ms")}' for name, values in ms.items() if values)


def _one_network(records: Records) -> list[Mapping]:
    return [row for row in records['photos_precision']['rows'] if 'error' not in row]


def forward_ms_again(records: Records) -> str:
    """CPU ms of one network in several measurements."""
    return span((row['cpu_ms'] for row in _one_network(records)), '.0f', ' ms')


def seeds(records: Records) -> str:
    """AP of the test split of trainings that are equal but for their seed."""
    aps = [row['test']['AP'] for row in _one_network(records) if row['step'] == 'bfloat16']
    return f'{share(min(aps))} to {share(max(aps))}'


def peak(data: str, records: Records) -> str:
    """Where AP of the validation split was best, and where it ended, first seed of each."""
    return ', '.join(
        f'{name} {_peak(rows[0]["curve"])}'
        for config, name in DETECTORS.items()
        if (rows := _rows(data, config, records))
    )


def _peak(curve: list[Mapping]) -> str:
    best, last = max(curve, key=lambda point: point['AP']), curve[-1]
    return (
        f'{share(best["AP"])} after epoch {best["epoch"]} and '
        f'{share(last["AP"])} after {last["epoch"]}'
    )


def best(data: str, key: str, records: Records) -> str:
    """The best figure of a test split in the comparison."""
    rows = [row for row in records[COMPARISON]['rows'] if 'error' not in row]
    return share(max(row['test'][key] for row in rows if row['data'] == data))


def lead(data: str, records: Records) -> str:
    """The best peer at 320 px on a test split, beside ours."""
    found = {config: _rows(data, config, records) for config in DETECTORS}
    aps = {config: mean(row['test']['AP'] for row in rows)
           for config, rows in found.items() if rows and config.endswith('320')}  # fmt: skip
    ours = aps.pop(OURS)
    best = max(aps, key=aps.__getitem__)
    return (
        f'{DETECTORS[best]}, {share(abs(aps[best] - ours))} '
        f'{"ahead of" if aps[best] > ours else "behind"} {DETECTORS[OURS]}'
    )


def peers(records: Records) -> str:
    """Detectors of the comparison."""
    rows = records[COMPARISON]['rows']
    return listed(f'`{name}`' for name in dict.fromkeys(row['config'] for row in rows))


def frontier(records: Records) -> str:
    """AP of the test split of the networks of a frontier, by their macs."""
    rows = [row for row in records['photos_frontier']['rows'] if 'error' not in row]
    rows.sort(key=lambda row: row['macs'])
    aps, macs = [row['test']['AP'] for row in rows], [row['macs'] for row in rows]
    return f'{listed(map(share, aps))}: a rank correlation of {rank_correlation(aps, macs):.1f}'


def _of_photographs() -> Iterator[tuple[str, Figure]]:
    for data in ('aquarium', 'bccd'):
        yield f'{data}-test', partial(photographs, data)
        yield f'{data}-peak', partial(peak, data)
        yield f'{data}-best-AP50', partial(best, data, 'AP50')
        yield f'{data}-lead', partial(lead, data)


NECK, SMOOTH = 'neck from COCO', 'boxes by smooth L1'
GFL_NECK = 'GFL, neck from COCO'
SLOW_NECK = 'backbone and neck at 1/40 of the rate'
WIDE, DEEP = (
    f'64 channels inside, 20 a bin, {units}' for units in ('512 units', 'two layers of 512 units')
)

FIGURES: dict[str, Figure] = {
    'step-bn': steps('BN as the file has it', SMOOTH),
    'step-rates': steps('lr .004', 'first try'),
    'step-neck-rate': steps(SLOW_NECK, NECK),
    'step-neck-rate-gfl': steps(f'GFL, {SLOW_NECK}', GFL_NECK),
    'step-proposals': steps('lr .004', NECK, of='100'),
    'step-heads': steps(GFL_NECK, 'Faster R-CNN, neck and losses the same', NECK),
    'step-boxes': steps(SMOOTH, 'the recipe'),
    'step-boxes-50': steps(SMOOTH, 'the recipe', of='AP50'),
    'step-rates-again': steps('rate .002', 'rate .008', 'batch 4'),
    'step-kept': steps(SMOOTH),
    'step-fresh': steps('fresh neck'),
    'step-no-gain': steps('proposals by GIoU', 'scales from .5 to 1.5'),
    'step-recipe': steps('the recipe'),
    'step-units': steps('BN over all levels', '512 units', '1024 units', '2048 units'),
    'step-thin': steps('64 channels inside', '20 a bin'),
    'step-units-and-bins': steps('20 a bin, 1024 units'),
    'step-layers': steps(WIDE, DEEP),
    'step-lighter': steps('box losses 2 and 2', '128 RoIs'),
    'step-full': steps('backbone at the full rate, nothing frozen'),
    'alone-max': partial(alone, 'largest of the samples of a bin', RECIPE),
    'alone-classes': partial(alone, 'a box for each class', RECIPE),
    'alone-rpn': partial(alone, 'RPN by softmax, centred at 7.5, anchors inside', RECIPE),
    'alone-fully-connected': partial(alone, 'fully connected from N(0, .01)', RECIPE),
    'alone-decay': partial(alone, RECIPE, 'biases decay'),
    'alone-far': alone_far,
    'alone-clipping': partial(alone, 'no clipping', RECIPE),
    **dict(_of_photographs()),
    'bccd-best-AP': partial(best, 'bccd', 'AP'),
    'whole-average': whole_steps('no moving average', RECIPE),
    'whole-others': whole_steps(
        'crops', 'mosaic', 'backbone frozen', '7 x 7 bins, 64 channels inside', '16 epochs'
    ),
    'whole-levels': whole_steps(RECIPE, 'BN over all levels'),
    'whole-units-bccd': partial(units, 'bccd'),
    'whole-units-aquarium': partial(units, 'aquarium'),
    'whole-overfit': overfit,
    'photos-ms': forward_ms,
    'photos-ms-again': forward_ms_again,
    'photos-seeds': seeds,
    'photos-peers': peers,
    'frontier': frontier,
}
"""Name -> what makes it."""
