"""What an archive says of the selection between its graphs, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping

from shufflenet_det.data.pixels import MAX_PIXELS

from .fields import (
    OBJECT,
    Rule,
    are_numbers,
    check,
    is_int,
    is_number,
    one_of,
    refuse_unknown,
    shown,
    up_to,
)


def _levels(width: int, above: float) -> Rule:
    """Of each level a list of lists of so many numbers."""

    def allows(value: object) -> bool:
        listed = isinstance(value, list) and value and all(isinstance(v, list) and v for v in value)
        return bool(listed) and all(are_numbers(row, width, above) for v in value for row in v)

    return allows, f'a list for each level, of lists of {width} numbers'


def _list_of(width: int, above: float = float('-inf')) -> Rule:
    return (lambda value: are_numbers(value, width, above)), f'{width} finite numbers'


def _numbers(above: float) -> Rule:
    return (
        lambda value: isinstance(value, list) and value and are_numbers(value, len(value), above)
    ), 'a list of finite numbers'


def _number(above: float = float('-inf')) -> Rule:
    return (lambda value: is_number(value, above)), f'a finite number above {above}'


COUNT = up_to(2**20)
SHARE: Rule = (lambda value: is_number(value) and 0 <= value <= 1), '0 to 1'
ANCHORS = dict(anchors=_levels(4, float('-inf')), pre=COUNT, min_size=_number())
STRIDES: Rule = (
    (lambda value: isinstance(value, list) and all(are_numbers(row, 2, 0) for row in value)),
    'two numbers above 0 for each level',
)
CODER = dict(mean=_list_of(4), std=_list_of(4))
NMS = dict(score=_number(), iou=SHARE, max=COUNT)
BOXES = dict(bins=dict(project=_numbers(float('-inf'))), distances={}, deltas=CODER)
"""How a dense head's boxes are read -> further fields of ``dense``."""
KINDS: dict[str, dict[str, dict[str, Rule]]] = {
    'rpn': dict(
        rpn=dict(**ANCHORS, strides=STRIDES, max=COUNT, iou=SHARE, **CODER),
        roi=dict(bins=up_to(64), samples=up_to(16), mode=one_of(('avg', 'max')), finest=_number(0),
                 scales=_numbers(0)),
        box=NMS | CODER,
    ),
    'dense': dict(dense=dict(**ANCHORS, strides=STRIDES, boxes=one_of(BOXES)), box=NMS),
}  # fmt: skip
"""What a selection is told by -> its parts and their fields."""


def _are_sides(value: object) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and all(map(is_int, value))
    return pair and min(value) > 0 and value[0] * value[1] <= MAX_PIXELS


SIDES: Rule = _are_sides, f'height and width above 0, of a product up to {MAX_PIXELS}'
SIZES = dict(canvas=SIDES, largest=SIDES)
"""Of images, where a runtime needs to know: the one that all are padded to, or the largest."""


def check_selection(spec: object) -> None:
    """Refuse a selection that is not as ``writers/split.py`` writes it.

    Raises:
        ValueError: Naming the field.
    """
    kinds = [kind for kind in KINDS if isinstance(spec, dict) and kind in spec]
    if len(kinds) != 1:
        allowed = ' or '.join(KINDS)
        raise ValueError(f'selection is {shown(spec)}, allowed is an object with {allowed}')
    (kind,) = kinds
    check(spec, dict.fromkeys(KINDS[kind], OBJECT), 'selection.')
    refuse_unknown(spec, KINDS[kind] | SIZES, 'selection.')
    check(spec, {name: rule for name, rule in SIZES.items() if name in spec}, 'selection.')
    for part, rules in KINDS[kind].items():
        prefix = f'selection.{part}.'
        check(spec[part], rules, prefix)
        if part == 'dense':
            rules = rules | BOXES[spec[part]['boxes']]
            check(spec[part], rules, prefix)
        refuse_unknown(spec[part], rules, prefix)
    anchors, strides = spec[kind]['anchors'], spec[kind]['strides']
    if len(anchors) != len(strides):
        raise ValueError(
            f'selection.{kind}.strides has {len(strides)} levels, anchors has {len(anchors)}'
        )


def output_names(spec: Mapping, graph: str) -> list[str]:
    """Outputs of ``trunk`` or ``head`` in order, where a runtime takes them by name."""
    count = 2
    if graph == 'trunk':
        (kind,) = (kind for kind in KINDS if kind in spec)
        count = 2 * len(spec[kind]['anchors'])
        count += len(spec['roi']['scales']) if kind == 'rpn' else 0
    return [f'out{i}' for i in range(count)]
