"""All of an analysis in one folder."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from mmengine.config import Config

from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.data.coco import coco_results
from shufflenet_det.data.pixels import read_image
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.deploy.stream import SURE

from .draw import average_precision_figure, confusion_figure, error_figure
from .kinds import CAUSES, Error, find_errors
from .records import Records, load_records, read_predictions, read_truth
from .scores import average_precision, confusion_matrix


def analyze(
    cfg: Config, config: str, predictions: str, out_dir: str, score_thr: float = SURE, top: int = 12
) -> dict:
    """Write charts, pictures and ``analysis.json``; return the content of the latter.

    Args:
        cfg: The config, whose test data are the ground truth.
        config: Its file.
        predictions: A .json file of detections, or a checkpoint to detect with.
        out_dir: Folder for confusion.png, precision.png, errors_CAUSE.png and analysis.json.
        score_thr: Detections below it count for AP only.
        top: Errors of each cause that are drawn: best scores, largest missed objects.

    Raises:
        ValueError: As ``load_records``, or if score_thr or top is not allowed.
    """
    if not 0 <= score_thr <= 1 or top < 1:
        raise ValueError(f'score_thr={score_thr}, top={top}: give 0 to 1, and at least 1')
    content = _results(cfg, config, predictions)
    records = load_records(cfg, content)
    sure = dataclasses.replace(records, found=[f for f in records.found if f['score'] >= score_thr])
    precision, matrix = average_precision(records), confusion_matrix(sure)
    errors = find_errors(sure)
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    _save(out / 'confusion.png', confusion_figure(matrix, records.classes))
    _save(out / 'precision.png', average_precision_figure(precision))
    _draw_errors(out, sure, errors.errors, top)
    result = dict(
        classes=list(records.classes), images=len(records.paths), objects=len(records.truth),
        detections=len(sure.found), score_thr=score_thr, precision=precision,
        confusion=matrix.tolist(), errors=errors.counts(), true_positives=errors.true_positives,
        ignored=errors.ignored, covered=errors.covered,
    )  # fmt: skip
    replace_file(out / 'analysis.json', json.dumps(result, indent=1))
    return result


def _results(cfg: Config, config: str, predictions: str) -> Mapping | list[dict]:
    """Detections of a file, or by a checkpoint."""
    suffix = Path(predictions).suffix
    if suffix in ('.pkl', '.pickle'):
        raise ValueError(
            f'{predictions}: a pickle runs what stands in it and is not read; give the checkpoint, '
            'or detections as .json: tools/test.py CONFIG CHECKPOINT --cfg-options '
            'test_evaluator.outfile_prefix=DIR/NAME writes DIR/NAME.bbox.json'
        )
    if suffix == '.json':
        return read_predictions(predictions)
    return detect_all(cfg, config, predictions)


def detect_all(cfg: Config, config: str, checkpoint: str) -> list[dict]:
    """COCO results of a checkpoint on the test data of its config.

    Raises:
        ValueError: If an image cannot be read.
    """
    content, folder, classes = read_truth(cfg)
    ids = {category['name']: category['id'] for category in content['categories']}
    category_ids = [ids.get(name) for name in classes]
    predictor, results = MMDetPredictor(config, checkpoint), []
    for entry in content['images']:
        image = read_image(folder / entry['file_name'])
        results += coco_results(entry['id'], *predictor(image), category_ids)
    return results


def summary(result: dict) -> Sequence[str]:
    """Lines that say what was found."""
    values = [row['AP'] for row in result['precision'].values() if row['AP'] is not None]
    mean = f'mAP {sum(values) / len(values):.3f}' if values else 'no mAP'
    causes = ', '.join(f'{number} {cause}' for cause, number in result['errors'].items())
    return [
        f'{result["images"]} images, {result["objects"]} objects, {mean}',
        f'{result["detections"]} detections of score >= {result["score_thr"]}: '
        f'{result["true_positives"]} right; errors: {causes}',
    ]


def _draw_errors(out: Path, records: Records, errors: Sequence[Error], top: int) -> None:
    for cause in CAUSES:
        shown = [error for error in errors if error.cause == cause][:top]
        (out / f'errors_{cause}.png').unlink(missing_ok=True)
        if shown:
            _save(out / f'errors_{cause}.png', error_figure(records, shown))


def _save(path: Path, figure: Figure) -> None:
    content = io.BytesIO()
    figure.savefig(content, format='png')
    replace_file(path, content.getvalue())
