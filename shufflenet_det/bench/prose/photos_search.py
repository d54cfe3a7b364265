"""Figures of the search for a recipe for photographs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from shufflenet_det.bench.budget.prediction import rank_correlation

from .photos import OURS, best_and_last, rows_of
from .records import Figure, Records
from .words import listed, share

RECIPE = 'the recipe'


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
    today = next(row for row in rows_of(data, OURS, records) if row['seed'] == 0)
    rows = (_whole_steps(data, records)['BN over all levels'], today)
    return listed(share(row['val']['AP']) for row in rows)


def overfit(records: Records) -> str:
    """Where AP of blood cells' validation split was best in the longest training, and its end."""
    return best_and_last(_whole_steps('bccd', records)['35 epochs']['curve'])


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


def frontier(records: Records) -> str:
    """AP of the test split of the networks of a frontier, by their macs."""
    rows = [row for row in records['photos_frontier']['rows'] if 'error' not in row]
    rows.sort(key=lambda row: row['macs'])
    aps, macs = [row['test']['AP'] for row in rows], [row['macs'] for row in rows]
    return f'{listed(map(share, aps))}: a rank correlation of {rank_correlation(aps, macs):.1f}'


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
    'step-bins': steps(
        '3 x 3 bins of 28, 1024 units', '3 x 3 bins of 56, 64 channels inside, 1024 units'
    ),
    'step-lighter': steps('box losses 2 and 2', '128 RoIs'),
    'step-full': steps('backbone at the full rate, nothing frozen'),
    'alone-max': partial(alone, 'largest of the samples of a bin', RECIPE),
    'alone-classes': partial(alone, 'a box for each class', RECIPE),
    'alone-rpn': partial(alone, 'RPN by softmax, centred at 7.5, anchors inside', RECIPE),
    'alone-fully-connected': partial(alone, 'fully connected from N(0, .01)', RECIPE),
    'alone-decay': partial(alone, RECIPE, 'biases decay'),
    'alone-far': alone_far,
    'alone-clipping': partial(alone, 'no clipping', RECIPE),
    'whole-average': whole_steps('no moving average', RECIPE),
    'whole-others': whole_steps(
        'crops', 'mosaic', 'backbone frozen', '7 x 7 bins, 64 channels inside', '16 epochs'
    ),
    'whole-levels': whole_steps(RECIPE, 'BN over all levels'),
    'whole-units-bccd': partial(units, 'bccd'),
    'whole-units-aquarium': partial(units, 'aquarium'),
    'whole-overfit': overfit,
    'frontier': frontier,
}
"""Name -> what makes it."""
