"""A few images of a set of photographs, laid out as somebody's own folder."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from shufflenet_det.data.photos import photo_set

VALIDATE = 0.2


def own_folder(root: str | Path, data: str, images: int, seed: int, folder: str | Path) -> Path:
    """Write a folder in the layout ``coco``: images drawn from train, and the whole of test.

    Args:
        root: Folder of the data sets.
        data: Name of a set.
        images: How many of its training split; a fifth of them validates.
        seed: Draws them.
        folder: Made; its images are links.
    """
    row, root, folder = photo_set(data), Path(root).absolute() / data, Path(folder)
    (folder / 'annotations').mkdir(parents=True, exist_ok=True)
    source, test = (
        json.loads((root / row.annotation_file(split)).read_text(encoding='utf-8'))
        for split in ('train', 'test')
    )
    drawn = random.Random(seed).sample(source['images'], images)
    last = round(VALIDATE * images)
    for split, content in (
        ('train', _only(source, drawn[last:])),
        ('val', _only(source, drawn[:last])),
        ('test', test),
    ):
        path = folder / f'annotations/instances_{split}.json'
        path.write_text(json.dumps(content), encoding='utf-8')
        link = folder / split
        if not link.is_symlink():
            link.symlink_to(root / row.prefixes[2 if split == 'test' else 0])
    return folder


def _only(content: Mapping, images: Sequence[Mapping]) -> dict:
    kept = {image['id'] for image in images}
    boxes = [a for a in content['annotations'] if a['image_id'] in kept]
    return dict(content, images=images, annotations=boxes)
