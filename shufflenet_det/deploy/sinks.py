"""Where detections go: pictures, one video, COCO JSON, a window; numpy, OpenCV and Pillow."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2

from shufflenet_det.checkpoints.atomic import check_folder, replace_file
from shufflenet_det.data.coco import coco_results

from .drawing import BEHIND, MARK, check_free, draw, fit, write_picture
from .sources import Part, Source
from .stream import Found

STILLS_PER_SECOND = 2.0
"""In a video of images."""

CLOSES = (27, ord('q'))
"""Keys that close the window: Esc and q."""


class Sink(Protocol):
    """Takes what was found, frame by frame; made for a folder, a source and class names."""

    def __init__(self, out_dir: Path, source: Source, classes: Sequence[str]) -> None: ...

    def take(self, found: Found) -> None:
        """Write or show a frame."""

    def close(self) -> None:
        """Finish what was taken so far; called once, also after an error."""


class Pictures:
    """A PNG with boxes for each frame, in the folders of the source.

    Attributes:
        paths: What was written.

    Raises:
        FileExistsError: Before anything is written, if a picture would replace another file.
    """

    def __init__(self, out_dir: Path, source: Source, classes: Sequence[str]) -> None:
        self.out_dir, self.classes, self.paths = out_dir, classes, []
        self.names = picture_names(source.parts)
        for name in self.names.values():
            check_free(self._path(name))
        for part in source.parts:
            if part.rate and (out_dir / part.name).is_file():
                raise FileExistsError(
                    f'{out_dir / part.name}: is a file, where the pictures of a video of this name '
                    'belong; choose another --out-dir'
                )

    def _path(self, name: str) -> Path:
        return self.out_dir / f'{name}.png'

    def take(self, found: Found) -> None:
        """Draw and write."""
        path = self._path(self.names.get(found.name, found.name))
        write_picture(path, draw(found.image, *found.detections, self.classes))
        self.paths.append(path)

    def close(self) -> None:
        """Every picture is whole already."""


class Video:
    """detections.avi, Motion JPEG: all frames in the size of the first.

    Raises:
        FileExistsError: If it is what is being read, a folder, or a video that is not ours.
    """

    def __init__(self, out_dir: Path, source: Source, classes: Sequence[str]) -> None:
        self.path, self.classes = out_dir / 'detections.avi', classes
        self.rate = source.rate or STILLS_PER_SECOND
        self.writer, self.size, self.count = None, None, 0
        self.growing = out_dir.absolute() / f'detections.{os.getpid()}.part.avi'
        if self.path.resolve() in {Path(part.path).resolve() for part in source.parts}:
            raise FileExistsError(f'{self.path}: is being read; choose another --out-dir')
        check_free(self.path)

    def take(self, found: Found) -> None:
        """Draw and append."""
        picture = draw(found.image, *found.detections, self.classes)
        if self.writer is None:
            self.growing.parent.mkdir(parents=True, exist_ok=True)
            self.size = picture.shape[1::-1]
            code = cv2.VideoWriter_fourcc(*'MJPG')
            self.writer = cv2.VideoWriter(str(self.growing), code, self.rate, self.size)
            if not self.writer.isOpened():
                raise OSError(
                    f'{self.growing}: OpenCV cannot write a video here; choose another --out-dir, '
                    'or --write pictures'
                )
        same = picture.shape[1::-1] == self.size
        self.writer.write(picture if same else fit(picture, self.size))
        self.count += 1

    def close(self) -> None:
        """Move the video to its place.

        Raises:
            OSError: If not all frames could be written, which OpenCV itself does not say.
        """
        if not self.count:
            return
        self.writer.release()
        if cv2.VideoCapture(str(self.growing)).get(cv2.CAP_PROP_FRAME_COUNT) < self.count:
            raise OSError(
                f'{self.growing}: not all of {self.count} frames could be written; free disk space '
                'or choose another --out-dir, then run it again'
            )
        with self.growing.open('ab') as file:
            file.write(BEHIND)
        os.replace(self.growing, self.path)


class CocoJson:
    """detections.json: images, categories, and annotations with a score; boxes in px.

    Raises:
        FileExistsError: If it is a folder, or another file than an earlier run's.
    """

    def __init__(self, out_dir: Path, source: Source, classes: Sequence[str]) -> None:
        self.path = out_dir / 'detections.json'
        check_free(self.path)
        categories = [dict(id=i, name=name) for i, name in enumerate(classes)]
        self.coco = dict(
            info=dict(description=MARK), images=[], annotations=[], categories=categories
        )

    def take(self, found: Found) -> None:
        """Add an image and its detections."""
        image_id, ids = len(self.coco['images']), range(len(self.coco['categories']))
        height, width = found.image.shape[:2]
        self.coco['images'].append(
            dict(id=image_id, file_name=found.name, height=height, width=width)
        )
        for result in coco_results(image_id, *found.detections, ids):
            area, number = result['bbox'][2] * result['bbox'][3], len(self.coco['annotations']) + 1
            self.coco['annotations'].append(dict(result, id=number, area=area, iscrowd=0))

    def close(self) -> None:
        """Write the file, if a frame was read."""
        if self.coco['images']:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, json.dumps(self.coco))


class Window:
    """A window that Esc or q closes, which ends the reading.

    Raises:
        OSError: If there is no display.
    """

    def __init__(self, out_dir: Path, source: Source, classes: Sequence[str]) -> None:
        self.classes, self.wait = classes, 1 if source.rate else 0
        shown = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
        if sys.platform.startswith('linux') and not shown:  # Qt would abort the process
            raise OSError('there is no display to open a window on; use --write pictures or video')

    def take(self, found: Found) -> None:
        """Show it; an image waits for a key."""
        cv2.imshow('detections', draw(found.image, *found.detections, self.classes))
        if cv2.waitKey(self.wait) & 0xFF in CLOSES:
            raise KeyboardInterrupt

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()


SINKS = dict(pictures=Pictures, video=Video, json=CocoJson, window=Window)
"""Name -> kind."""


def usual_sinks(source: Source) -> tuple[str, str]:
    """Pictures and json of images, video and json of what moves."""
    return 'video' if source.rate else 'pictures', 'json'


def open_sinks(
    names: Sequence[str], out_dir: str | Path, source: Source, classes: Sequence[str]
) -> list[Sink]:
    """Sinks by name.

    Raises:
        NotADirectoryError, PermissionError: If out_dir is a file, or not to be written to.
        OSError: As the sinks, before anything is written.
    """
    out_dir = Path(out_dir)
    if set(names) != {'window'}:
        check_folder(out_dir)
    return [SINKS[name](out_dir, source, classes) for name in names]


def picture_names(parts: Sequence[Part]) -> dict[str, str]:
    """Of each image's name a name without suffix that no other has: a of a.jpg, unless there is a
    second a; frames of videos are named already.
    """
    names = [part.name for part in parts if part.rate is None]
    stems = {name: name.rpartition('.')[0] or name for name in names}
    taken = Counter(text.casefold() for text in (*stems.values(), *names))
    return {name: stem if taken[stem.casefold()] == 1 + (stem == name) else name
            for name, stem in stems.items()}  # fmt: skip
