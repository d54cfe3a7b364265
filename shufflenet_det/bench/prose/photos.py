"""Figures of accuracy on photographs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from statistics import mean

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
OURS = 'lighthead_fpn_1.0x_320'
COMPARISON = 'photos_comparison'


def rows_of(data: str, config: str, records: Records) -> list[Mapping]:
    """Rows of the comparison."""
    rows = [row for row in records[COMPARISON]['rows'] if 'error' not in row]
    return [row for row in rows if (row['data'], row['config']) == (data, config)]


def photographs(data: str, records: Records) -> str:
    """The detectors on a test split, mean over the seeds."""
    return listed(
        f'{name} AP {_mean(rows, "AP")}, AP50 {_mean(rows, "AP50")}'
        for config, name in DETECTORS.items()
        if (rows := rows_of(data, config, records))
    )


def _mean(rows: list[Mapping], key: str) -> str:
    return share(mean(row['test'][key] for row in rows))


def forward_ms(records: Records) -> str:
    """CPU ms of the detectors, measured in turns."""
    ms = {row['config']: row['total']['median_ms'] for row in records['photos_cpu']['rows']}
    return listed(
        f'{name} {ms[config]:.0f} ms' for config, name in DETECTORS.items() if config in ms
    )


def seeds(records: Records) -> str:
    """AP of the test split of trainings that are equal but for their seed."""
    rows = [row for row in records['photos_precision']['rows'] if 'error' not in row]
    aps = [row['test']['AP'] for row in rows if row['step'] == 'bfloat16']
    return f'{share(min(aps))} to {share(max(aps))}'


def peak(data: str, records: Records) -> str:
    """Where AP of the validation split was best, and where it ended, first seed of each."""
    return ', '.join(
        f'{name} {best_and_last(rows[0]["curve"])}'
        for config, name in DETECTORS.items()
        if (rows := rows_of(data, config, records))
    )


def best_and_last(curve: list[Mapping]) -> str:
    """The best AP of a curve and its last."""
    best, last = max(curve, key=lambda point: point['AP']), curve[-1]
    return (
        f'{share(best["AP"])} after epoch {best["epoch"]} and '
        f'{share(last["AP"])} after {last["epoch"]}'
    )


def early(data: str, epoch: int, records: Records) -> str:
    """AP of the validation split after an epoch: ours, the other with two stages, the best."""
    found = {}
    for config in (OURS, 'faster_rcnn_1.0x_320', 'gfl_1.0x_320'):
        curve = rows_of(data, config, records)[0]['curve']
        found[DETECTORS[config]] = next(p['AP'] for p in curve if p['epoch'] == epoch)
    return listed(f'{share(ap)} ({name})' for name, ap in found.items())


def _own(records: Records) -> dict[str, list[Mapping]]:
    """Trainings on somebody's 100 photographs of blood cells, by their start."""
    rows = [row for row in records['photos_own']['rows'] if 'error' not in row]
    return {
        start: [row for row in rows if (row['data'], row['step']) == ('bccd', start)]
        for start in ('coco', 'scratch')
    }


def own(records: Records) -> str:
    """AP of the test split after such a training, mean over the seeds, and CPU minutes."""
    coco, scratch = _own(records).values()
    minutes = [row['cpu_seconds'] / 60 for row in (*coco, *scratch) if row['cpu_seconds']]
    return (
        f"AP {_mean(coco, 'AP')} from COCO's weights and {_mean(scratch, 'AP')} from scratch, in "
        f'{span(minutes, ".0f", "")} CPU minutes'
    )


def own_early(records: Records) -> str:
    """AP of their validation images after a fifth of the epochs, first seed of each."""
    curves = [[point['AP'] for point in rows[0]['curve']] for rows in _own(records).values()]
    early = [share(curve[len(curve) // 5 - 1]) for curve in curves]
    return f'{early[0]}, from scratch {early[1]} and never more than {share(max(curves[1]))}'


def best(data: str, key: str, records: Records) -> str:
    """The best figure of a test split in the comparison."""
    rows = [row for row in records[COMPARISON]['rows'] if 'error' not in row]
    return share(max(row['test'][key] for row in rows if row['data'] == data))


def lead(data: str, records: Records) -> str:
    """The best peer at 320 px on a test split, beside ours."""
    found = {config: rows_of(data, config, records) for config in DETECTORS}
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


def _of_photographs() -> Iterator[tuple[str, Figure]]:
    for data in ('aquarium', 'bccd'):
        yield f'{data}-test', partial(photographs, data)
        yield f'{data}-peak', partial(peak, data)
        yield f'{data}-best-AP50', partial(best, data, 'AP50')
        yield f'{data}-lead', partial(lead, data)


FIGURES: dict[str, Figure] = {
    **dict(_of_photographs()),
    'aquarium-slow': partial(early, 'aquarium', 8),
    'own-start': own,
    'own-early': own_early,
    'bccd-best-AP': partial(best, 'bccd', 'AP'),
    'photos-ms': forward_ms,
    'photos-seeds': seeds,
    'photos-peers': peers,
}
"""Name -> what makes it."""
