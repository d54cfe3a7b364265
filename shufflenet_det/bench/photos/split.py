"""Pictures of a set of photographs with their annotations."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from pycocotools.coco import COCO

from shufflenet_det.data.photos import SPLITS, photo_set


class Split:
    """One split of a set.

    Args:
        root: Folder of the sets.
        data: Name of the set.
        split: train, val or test.

    Attributes:
        coco: Its annotations.
        folder: Of its images.
        paths: Its images, in the order of the annotations.
    """

    def __init__(self, root: Path, data: str, split: str) -> None:
        row = photo_set(data)
        self.folder = root / data / row.prefixes[SPLITS.index(split)]
        with contextlib.redirect_stdout(io.StringIO()):
            self.coco = COCO(str(root / data / row.annotation_file(split)))
        self.paths = [self.folder / image['file_name'] for image in self.coco.imgs.values()]
