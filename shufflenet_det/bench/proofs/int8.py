"""AP and time of detectors of photographs in int8 beside single precision, by runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shufflenet_det.bench.photos.split import Split
from shufflenet_det.bench.runtimes.plan import Case, Target
from shufflenet_det.data.photos import photo_set

if TYPE_CHECKING:
    from shufflenet_det.bench.runtimes.files import Exports

FORMS = tuple(Target(r, p) for r in ('onnx', 'openvino') for p in ('fp32', 'int8'))
"""The reference first."""

SPLITS = ('val', 'test')
TIMED_IMAGES = 8

BLOCKS = {
    'stem': 'backbone.stem.', 'stage 2': 'backbone.stage2.', 'stage 3': 'backbone.stage3.',
    'stage 4': 'backbone.stage4.', 'neck': 'neck.', "RPN's conv": 'proposals.head.',
    'thin map': 'roi_scores.thin_map.',
}  # fmt: skip
"""Part of a detector -> how the names of its weights begin."""


@dataclass(frozen=True)
class Trained:
    """A detector and the set of photographs that it was trained on.

    Args:
        data: A key of ``data.photos.PHOTO_SETS``.
        config, checkpoint: Files.
    """

    data: str
    config: str
    checkpoint: str

    @classmethod
    def parse(cls, text: str) -> Trained:
        """Read ``SET=CONFIG=CHECKPOINT``.

        Raises:
            ValueError: If it is of another form, or the set is not known.
        """
        parts = text.split('=')
        if len(parts) != 3:
            raise ValueError(f'{text!r} is not allowed; give SET=CONFIG=CHECKPOINT')
        photo_set(parts[0])
        return cls(*parts)

    @property
    def case(self) -> Case:
        """As the record of runtimes has it."""
        return Case(Path(self.config).stem, self.data)

    def exports(self, work: Path) -> Exports:
        """Writes its files to a folder."""
        from shufflenet_det.bench.runtimes.files import (
            Exports,  # needs onnx, which a report does not
        )

        return Exports(Path(self.config), Path(self.checkpoint), work)


@dataclass(frozen=True)
class Reached:
    """What a file reaches.

    Args:
        data: The set.
        runtime, precision: Of the file.
        mib: Its size.
        sha256: Of its content, by which a result is taken over by a later run.
        ap: Over IoU 0.50:0.95, by split.
        ap50: At IoU 0.50, by split.
    """

    data: str
    runtime: str
    precision: str
    mib: float
    sha256: str
    ap: Mapping[str, float]
    ap50: Mapping[str, float]


@dataclass(frozen=True)
class Choice:
    """AP of the validation split by another method of quantisation, in ONNX Runtime.

    Args:
        data: The set.
        method: What is other than in the method that the exporter has, in words.
        ap, ap50: As in :class:`Reached`.
    """

    data: str
    method: str
    ap: float
    ap50: float


def methods() -> dict[str, object]:
    """Words -> method, the exporter's first."""
    from shufflenet_det.deploy.quantize import Method  # needs onnx, which a report does not

    plain = Method()
    found = {
        "the exporter's": plain,
        'not equalised' if plain.equalised else 'equalised': Method(equalised=not plain.equalised),
        '99.99 % of the values': Method(percentile=99.99),
        'all values (MinMax)': Method('MinMax'),
        'entropy': Method('Entropy'),
    }
    for block, name in BLOCKS.items():
        if name in plain.left:
            others = tuple(other for other in plain.left if other != name)
            found[f'{block} in int8'] = Method(left=others)
        else:
            found[f'{block} in fp32'] = Method(left=(*plain.left, name))
    return found


def ap_of(path: Path, split: Split) -> tuple[float, float]:
    """AP and AP50 of a file."""
    from shufflenet_det.deploy.evaluate import coco_ap, detect_all
    from shufflenet_det.deploy.runtime import Detector

    detector = Detector(path, num_threads=1)
    found = detect_all(detector, split.coco, split.folder)
    return coco_ap(found, detector.classes, split.coco)


def write_files(trained: Trained, root: Path, work: Path) -> dict[Target, Path]:
    """The files of a detector by form; those that are there are left as they are."""
    exports = trained.exports(work)
    return {form: exports.file(form, trained.case, root) for form in FORMS}


def examine(
    trained: Trained, root: Path, work: Path, known: Sequence[Mapping]
) -> Iterator[Reached | Mapping]:
    """What each file of a detector reaches; rows that are known of equal files are taken over."""
    splits = {split: Split(root, trained.data, split) for split in SPLITS}
    for form, path in write_files(trained, root, work).items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        same = [row for row in known if row['sha256'] == digest]
        if same:
            yield same[0]
            continue
        found = {name: ap_of(path, split) for name, split in splits.items()}
        mib = round(path.stat().st_size / 2**20, 2)
        yield Reached(
            trained.data, form.runtime, form.precision, mib, digest,
            *({split: values[i] for split, values in found.items()} for i in range(2)),
        )  # fmt: skip


def choices(trained: Trained, root: Path, work: Path) -> Iterator[Choice]:
    """AP of the validation split by each method."""
    from shufflenet_det.deploy.quantize import quantise
    from shufflenet_det.deploy.request import Request

    graph, validation = (
        trained.exports(work).graph(Request('onnx')),
        Split(root, trained.data, 'val'),
    )
    calibration = Split(root, trained.data, 'train').paths
    path = work / 'choice.onnx'
    for words, method in methods().items():
        path.write_bytes(quantise(graph, calibration, method).SerializeToString())
        yield Choice(trained.data, words, *ap_of(path, validation))


def calls(
    trained: Trained, root: Path, work: Path, threads: int
) -> dict[tuple[str, Target], Callable[[], object]]:
    """Each file of a detector on the same TIMED_IMAGES pictures, one after the other."""
    from shufflenet_det.data.pixels import read_image
    from shufflenet_det.deploy.runtime import Detector

    paths = Split(root, trained.data, 'test').paths[:TIMED_IMAGES]
    pictures = [read_image(path) for path in paths]
    found = {}
    for form, path in write_files(trained, root, work).items():
        detector = Detector(path, num_threads=threads)
        found[trained.data, form] = lambda detector=detector: list(detector.each(pictures))
    return found
