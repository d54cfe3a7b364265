"""AP and time of detectors of photographs in int8 beside single precision, by runtime."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pycocotools.coco import COCO

from shufflenet_det.data.photos import photo_set
from shufflenet_det.training.launch import load_config

FORMS = (('onnx', 'fp32'), ('onnx', 'int8'), ('openvino', 'fp32'), ('openvino', 'int8'))
"""Runtime and precision, the reference first."""

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


class Photographs:
    """A split of a set of photographs.

    Args:
        root: Folder of the sets.
        data: The set.
        split: val, test or train.
    """

    def __init__(self, root: Path, data: str, split: str) -> None:
        row = photo_set(data)
        self.folder = root / data / row.dataset(split)['data_prefix']['img']
        with contextlib.redirect_stdout(io.StringIO()):
            self.coco = COCO(str(root / data / row.annotation_file(split)))
        self.paths = [self.folder / image['file_name'] for image in self.coco.imgs.values()]

    def ap(self, path: Path) -> tuple[float, float]:
        """AP and AP50 of a file."""
        from shufflenet_det.deploy.evaluate import coco_ap, detect_all
        from shufflenet_det.deploy.runtime import Detector

        detector = Detector(path, num_threads=1)
        return coco_ap(detect_all(detector, self.coco, self.folder), detector.classes, self.coco)


def write_files(trained: Trained, root: Path, work: Path) -> dict[tuple[str, str], Path]:
    """The files of a detector by form; those that are there are left as they are."""
    from shufflenet_det.checkpoints.atomic import replace_file
    from shufflenet_det.deploy.formats import FORMATS
    from shufflenet_det.deploy.request import Request

    calibration = Photographs(root, trained.data, 'train').paths
    paths = {}
    for runtime, precision in FORMS:
        path = work / f'{trained.data}_{precision}{FORMATS[runtime].suffix}'
        paths[runtime, precision] = path
        if not path.exists():
            images = calibration if precision == 'int8' else ()
            request = Request(runtime, precision, calibration=images)
            write = request.format.load_writer()
            replace_file(path, write(_graph(trained, runtime, work), request))
    return paths


def _graph(trained: Trained, runtime: str, work: Path) -> object:
    """The graph that the files of a runtime are made of, which is kept."""
    import onnx

    from shufflenet_det.deploy.onnx_export import save_onnx, to_onnx
    from shufflenet_det.deploy.predict import MMDetPredictor

    path = work / f'{trained.data}_{runtime}.graph'
    if not path.exists():
        model = MMDetPredictor(trained.config, trained.checkpoint, 'cpu').model
        align = None if runtime == 'onnx' else 1  # as exporting.export
        save_onnx(to_onnx(model, load_config(trained.config), align=align), path)
    return onnx.load(path)


def examine(
    trained: Trained, root: Path, work: Path, known: Sequence[Mapping]
) -> Iterator[Reached | Mapping]:
    """What each file of a detector reaches; rows that are known of equal files are taken over."""
    splits = {split: Photographs(root, trained.data, split) for split in SPLITS}
    for (runtime, precision), path in write_files(trained, root, work).items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        same = [row for row in known if row['sha256'] == digest]
        if same:
            yield same[0]
            continue
        found = {split: photographs.ap(path) for split, photographs in splits.items()}
        yield Reached(
            trained.data, runtime, precision, round(path.stat().st_size / 2**20, 2), digest,
            *({split: values[i] for split, values in found.items()} for i in range(2)),
        )  # fmt: skip


def choices(trained: Trained, root: Path, work: Path) -> Iterator[Choice]:
    """AP of the validation split by each method."""
    from shufflenet_det.deploy.quantize import quantise

    graph, validation = _graph(trained, 'onnx', work), Photographs(root, trained.data, 'val')
    calibration = Photographs(root, trained.data, 'train').paths
    path = work / 'choice.onnx'
    for words, method in methods().items():
        path.write_bytes(quantise(graph, calibration, method).SerializeToString())
        yield Choice(trained.data, words, *validation.ap(path))


def calls(
    trained: Trained, root: Path, work: Path, threads: int
) -> dict[tuple[str, str, str], Callable[[], object]]:
    """Each file of a detector on the same TIMED_IMAGES pictures, one after the other."""
    from shufflenet_det.data.pixels import read_image
    from shufflenet_det.deploy.runtime import Detector

    paths = Photographs(root, trained.data, 'test').paths[:TIMED_IMAGES]
    pictures = [read_image(path) for path in paths]
    found = {}
    for form, path in write_files(trained, root, work).items():
        detector = Detector(path, num_threads=threads)
        found[(trained.data, *form)] = lambda detector=detector: list(detector.each(pictures))
    return found


def kept(row: Reached | Mapping) -> dict:
    """A row as it is stored."""
    return dict(row) if isinstance(row, Mapping) else asdict(row)
