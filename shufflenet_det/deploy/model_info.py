"""What an exported model says of itself, checked field by field; numpy and OpenCV only."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields

import cv2
from numpy import ndarray

from shufflenet_det.data.pixels import MAX_PIXELS

from .fields import BOOL, OBJECT, Rule, are_numbers, check, is_int, one_of, refuse_unknown, shown

METADATA_KEY = 'shufflenet_det'
"""Metadata property of the .onnx file that holds a `ModelInfo` as JSON."""

INTERPOLATIONS = {
    'nearest': cv2.INTER_NEAREST,
    'bilinear': cv2.INTER_LINEAR,
    'bicubic': cv2.INTER_CUBIC,
    'area': cv2.INTER_AREA,
    'lanczos': cv2.INTER_LANCZOS4,
}
PRECISIONS = ('fp32', 'fp16', 'int8')


@dataclass(frozen=True)
class Resize:
    """How an image is resized before it enters the graph.

    Args:
        scale: Size that is not exceeded with keep_ratio (longer side, shorter side, in any order),
            else the new width and height, in px.
        keep_ratio: Keep the aspect ratio.
        interpolation: A key of INTERPOLATIONS.

    Raises:
        ValueError: Naming the field that has another type or is out of range.
    """

    scale: tuple[int, int]
    keep_ratio: bool
    interpolation: str = 'bilinear'

    def __post_init__(self) -> None:
        check(vars(self), RESIZE, 'resize.')

    def __call__(self, image: ndarray) -> ndarray:
        height, width = image.shape[:2]
        size = self.scale
        if self.keep_ratio:
            long_side, short_side = max(size), min(size)
            factor = min(long_side / max(height, width), short_side / min(height, width))
            size = max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)
        return cv2.resize(image, tuple(size), interpolation=INTERPOLATIONS[self.interpolation])


@dataclass(frozen=True)
class ModelInfo:
    """What travels in the file beside the graph.

    Args:
        output: What the graph gives, a key of `contract.OUTPUTS`.
        classes: Names by label.
        resize: Resizing that the graph expects, None for images as they are.
        normalisation: mean, std, bgr_to_rgb and pad_size_divisor, which the graph applies itself.
        precision: One of PRECISIONS.

    Raises:
        ValueError: Naming the field that has another type or is out of range.
    """

    output: str
    classes: tuple[str, ...]
    resize: Resize | None
    normalisation: dict
    precision: str = 'fp32'

    def __post_init__(self) -> None:
        check(vars(self), INFO)
        check(self.normalisation, NORMALISATION, 'normalisation.')
        if self.output == 'detections' and not self.classes:
            raise ValueError('classes is empty: detections need a name for each label')

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Read what a file holds in its metadata.

        Raises:
            ValueError: Naming the field that is missing, unknown or wrong.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f'not JSON ({type(error).__name__}: {error})') from error
        content = _arguments(cls, content, '')
        if content['resize'] is not None:
            content['resize'] = Resize(**_arguments(Resize, content['resize'], 'resize'))
        return cls(**content)


def _arguments(cls: type, content: object, name: str) -> dict:
    """The fields of a dataclass out of a JSON object, with tuples for lists.

    Raises:
        ValueError: If one is missing or unknown, or it is no object.
    """
    if not isinstance(content, dict):
        raise ValueError(f'{name or "the whole"} is {shown(content)}, allowed is an object')
    needed = {field.name for field in fields(cls) if field.default is MISSING}
    allowed = [field.name for field in fields(cls)]
    prefix = name and f'{name}.'
    if missing := sorted(needed - set(content)):
        raise ValueError(f'{prefix}{missing[0]} is missing')
    refuse_unknown(content, allowed, prefix)
    return {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}


def _is_scale(value: object) -> bool:
    pair = isinstance(value, tuple) and len(value) == 2 and all(map(is_int, value))
    return pair and min(value) > 0 and value[0] * value[1] <= MAX_PIXELS


def _are_names(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) and name for name in value)


RESIZE: dict[str, Rule] = {
    'scale': (_is_scale, f'two whole numbers above 0, of a product up to {MAX_PIXELS}'),
    'keep_ratio': BOOL,
    'interpolation': one_of(INTERPOLATIONS),
}
INFO: dict[str, Rule] = {
    'output': one_of(('detections', 'rois', 'levels')),
    'classes': (_are_names, 'a list of names that are not empty'),
    'resize': (lambda value: value is None or isinstance(value, Resize), 'an object or null'),
    'normalisation': OBJECT,
    'precision': one_of(PRECISIONS),
}
NORMALISATION: dict[str, Rule] = {
    'mean': (lambda value: are_numbers(value, 3), 'three finite numbers'),
    'std': (lambda value: are_numbers(value, 3, above=0), 'three finite numbers above 0'),
    'bgr_to_rgb': BOOL,
    'pad_size_divisor': (lambda value: is_int(value) and 0 < value <= 4096, '1 to 4096'),
}
