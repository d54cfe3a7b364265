"""The tools as a user runs them: train, resume, evaluate, detect; in one process and in two."""

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch
from paths import ROOT
from pycocotools.coco import COCO

from shufflenet_det.data import CLASSES, generate

CONFIG = 'configs/demo/lighthead_snv2_demo.py'
SMALL = [
    'model.backbone.arch=0.5x', 'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
    'val_dataloader.persistent_workers=False', 'test_dataloader.persistent_workers=False',
    'train_dataloader.batch_size=4', 'test_dataloader.batch_size=1', 'train_cfg.val_interval=1',
    'default_hooks.checkpoint.interval=1', 'default_hooks.logger.interval=1',
    'model.test_cfg.rcnn.score_thr=0.0',
]  # fmt: skip


def run(*command: str, check: bool = True, **env: str) -> subprocess.CompletedProcess:
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, timeout=600,
        env=dict(os.environ, OMP_NUM_THREADS='1', **env),
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    # An odd number: two processes get unequal shares of the validation split.
    return generate(tmp_path_factory.mktemp('demo') / 'set', num_train=8, num_val=5)


@pytest.fixture(scope='module')
def trained(demo, tmp_path_factory):
    """Work dir of one epoch of training, and what the tool printed."""
    work_dir = tmp_path_factory.mktemp('work')
    done = run(
        sys.executable, 'tools/train.py', CONFIG, '--work-dir', str(work_dir),
        '--cfg-options', f'data_root={demo.root}', 'train_cfg.max_epochs=1', *SMALL,
    )  # fmt: skip
    return work_dir, done.stdout + done.stderr


@pytest.fixture(scope='module')
def tested(demo, trained, tmp_path_factory):
    """Output and prediction file of tools/test.py in one process."""
    return _test(demo, trained[0], tmp_path_factory.mktemp('test'), sys.executable)


def _test(demo, work_dir, out_dir, *python: str) -> tuple[str, Path]:
    out = out_dir / 'predictions.pkl'
    launcher = [] if python == (sys.executable,) else ['--launcher', 'pytorch']
    done = run(
        *python, 'tools/test.py', CONFIG, str(work_dir / 'epoch_1.pth'), '--work-dir', str(out_dir),
        '--out', str(out), '--classwise', *launcher, '--cfg-options', f'data_root={demo.root}',
        *SMALL,
    )  # fmt: skip
    return done.stdout + done.stderr, out


def metrics(output: str) -> dict[str, str]:
    line = re.findall(r'Epoch\(test\).*bbox_mAP:.*', output)[-1]
    return dict(re.findall(r'(coco/\w+): ([-.\d]+)', line))


def test_training_evaluates_and_saves(trained):
    work_dir, output = trained
    assert (work_dir / 'epoch_1.pth').is_file()
    assert 'coco/bbox_mAP:' in output and 'eta:' in output


def test_training_resumes(demo, trained):
    work_dir, _ = trained
    done = run(
        sys.executable, 'tools/train.py', CONFIG, '--work-dir', str(work_dir), '--resume',
        '--cfg-options', f'data_root={demo.root}', 'train_cfg.max_epochs=2', *SMALL,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert 'resumed epoch: 1' in output
    assert 'Epoch(train) [2]' in output.replace('  ', ' ')
    assert 'Epoch(train) [1]' not in output.replace('  ', ' ')


def test_evaluation_reports_every_class_and_writes_predictions(demo, tested):
    output, out = tested
    assert all(name in output for name in CLASSES)
    predictions = pickle.loads(out.read_bytes())
    assert len(predictions) == demo.num_val
    assert {'bboxes', 'scores', 'labels'} <= set(predictions[0]['pred_instances'])


def test_two_cpu_processes_train(demo, tmp_path):
    done = run(
        sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node',
        '2', 'tools/train.py', CONFIG, '--launcher', 'pytorch', '--work-dir', str(tmp_path),
        '--cfg-options', f'data_root={demo.root}', 'train_cfg.max_epochs=1', *SMALL,
    )  # fmt: skip
    assert 'coco/bbox_mAP:' in done.stdout + done.stderr
    assert (tmp_path / 'epoch_1.pth').is_file()


def test_two_cpu_processes_evaluate_as_one_does(demo, trained, tested, tmp_path):
    launch = '-m torch.distributed.run --standalone --nproc_per_node 2'.split()
    output, out = _test(demo, trained[0], tmp_path, sys.executable, *launch)
    assert metrics(output) == metrics(tested[0])
    # The metrics after one epoch are near 0, the predictions behind them are not.
    ours, single = (pickle.loads(path.read_bytes()) for path in (out, tested[1]))
    assert [p['img_id'] for p in ours] == [p['img_id'] for p in single] == list(range(1, 6))
    for one, other in zip(ours, single, strict=True):
        for key in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(one['pred_instances'][key], other['pred_instances'][key])


def test_detection_draws_and_writes_coco(demo, trained, tmp_path):
    broken = tmp_path / 'images' / 'broken.jpg'
    broken.parent.mkdir()
    broken.write_text('not an image')
    source = sorted(demo.image_dir('val').iterdir())[0]
    (broken.parent / source.name).write_bytes(source.read_bytes())
    done = run(
        sys.executable, 'tools/detect.py', str(broken.parent), str(trained[0] / Path(CONFIG).name),
        str(trained[0] / 'epoch_1.pth'), '--out-dir', str(tmp_path / 'out'), '--score-thr', '0.0',
        '--sheet', str(tmp_path / 'sheet.png'), check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert 'broken.jpg: not an image' in done.stderr
    assert '1 of 2 could not be read whole' in done.stderr
    picture = cv2.imread(str(tmp_path / 'out' / f'{source.stem}.png'))
    assert picture.shape == cv2.imread(str(source)).shape
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (200, 800, 3)
    found = COCO(str(tmp_path / 'out' / 'detections.json'))
    assert [image['file_name'] for image in found.loadImgs(found.getImgIds())] == [source.name]
    assert {cat['name'] for cat in found.loadCats(found.getCatIds())} == set(CLASSES)
    for annotation in found.loadAnns(found.getAnnIds()):
        assert 0 <= annotation['score'] <= 1 and min(annotation['bbox'][2:]) >= 0


@pytest.mark.parametrize('config', ['configs/lighthead_snv2.py', 'configs/lighthead_fpn_snv2.py'])
def test_real_images_train_resume_and_evaluate(config, test_data, tmp_path):
    root = tmp_path / 'coco'
    (root / 'annotations').mkdir(parents=True)
    for split in ('train2017', 'val2017'):
        (root / split).symlink_to(test_data / 'coco128_train2017' / 'train2017')
    _first_images(test_data, root / 'annotations', 4)
    options = [
        f'data_root={root}', 'model.backbone.init_cfg=None', 'train_dataloader.batch_size=2',
        'model.backbone.arch=0.5x', 'train_dataloader.num_workers=0',
        'val_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
        'val_dataloader.persistent_workers=False',
        'train_dataloader.dataset.pipeline.2.scale=(360,240)',
        'val_dataloader.dataset.pipeline.1.scale=(360,240)',
    ]  # fmt: skip
    command = [sys.executable, 'tools/train.py', config, '--work-dir', str(tmp_path / 'work')]
    first = run(*command, '--cfg-options', *options, 'train_cfg.max_epochs=1')
    again = run(*command, '--resume', '--cfg-options', *options, 'train_cfg.max_epochs=2')
    assert 'coco/bbox_mAP:' in first.stdout + first.stderr
    assert 'resumed epoch: 1' in again.stdout + again.stderr


def _first_images(test_data: Path, out: Path, count: int) -> None:
    full = json.loads((test_data / 'coco128_train2017/instances_train2017.json').read_text())
    used = {annotation['image_id'] for annotation in full['annotations']}
    full['images'] = [image for image in full['images'] if image['id'] in used][:count]
    kept = {image['id'] for image in full['images']}
    full['annotations'] = [a for a in full['annotations'] if a['image_id'] in kept]
    for split in ('train2017', 'val2017'):
        (out / f'instances_{split}.json').write_text(json.dumps(full))
