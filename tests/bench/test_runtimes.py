"""The record of runtimes: rows once, failures as rows, what is done is left; its tables."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from pycocotools.coco import COCO

from shufflenet_det.bench.runtimes import run
from shufflenet_det.bench.runtimes.fresh import ProcessFailed, run_fresh
from shufflenet_det.bench.runtimes.plan import (
    CASES,
    PACKAGES,
    RANDOM,
    REFERENCE,
    Case,
    Target,
    targets,
)
from shufflenet_det.bench.runtimes.run import Places, compare, time_all
from shufflenet_det.bench.runtimes.weights import random_detector
from shufflenet_det.bench.tables import markdown
from shufflenet_det.bench.views import tables_of
from shufflenet_det.deploy.archive import Archive
from shufflenet_det.deploy.formats import FORMATS

CASE = Case('lighthead_fpn_1.0x_320')
BOX = np.array([[10, 10, 50, 50]], np.float32)
FOUND = (BOX, np.array([0.9], np.float32), np.array([0]))


def test_every_format_that_runs_is_compared():
    compared = {target.runtime for target in targets()}
    assert compared == {REFERENCE, *(name for name, row in FORMATS.items() if row.engine)}
    assert compared == set(PACKAGES)


def test_rows_have_names_of_their_own():
    names = [target.row_name(case) for case in CASES for target in targets()]
    assert len(names) == len(set(names))


def test_trained_weights_are_those_of_the_last_checkpoint(tmp_path):
    folder = tmp_path / 'bccd-lighthead_fpn_1.0x_320-seed0'
    folder.mkdir()
    assert CASE.trained(tmp_path) is None
    (folder / 'epoch_3.pth').touch()
    (folder / 'last_checkpoint').write_text('/elsewhere/epoch_3.pth')
    assert CASE.trained(tmp_path) == (folder / f'{CASE.config}.py', folder / 'epoch_3.pth')


PADDED = Archive('litert', '{}', {}, dict(canvas=[320, 320])).to_bytes()


class Exports:
    """Files without content."""

    def __init__(self, config: Path, checkpoint: Path, folder: Path) -> None:
        self.folder = folder

    def file(self, target: Target, case: Case, root: Path) -> Path:
        path = self.folder / f'{target.runtime}.{target.precision}'
        path.write_bytes(PADDED if target.runtime == 'litert' else b'1234')
        return path


@pytest.fixture
def places(tmp_path, monkeypatch) -> Places:
    """Where every runtime finds the same but OpenCV, which ends the process."""

    def fresh(task, files, images, threads, side=None, seconds=None):
        if task == 'measure':
            return {name: dict(median_ms=10.0 / threads) for name in files}
        if 'opencv' in files:
            raise ProcessFailed('the process ended with -8: nothing was said')
        moved = 20 * (side is not None or 'litert' in files)  # by what is padded
        return dict(found=[(BOX + moved, *FOUND[1:])], peak_memory_bytes=2**20)

    coco = COCO()
    coco.dataset = dict(
        info={}, images=[dict(id=1, file_name='a.jpg', width=64, height=64)],
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(CASE.photos.classes)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[10, 10, 40, 40], area=1600,
                          iscrowd=0)],
    )  # fmt: skip
    coco.createIndex()
    checkpoint = tmp_path / 'a.pth'
    checkpoint.write_bytes(b'12')
    monkeypatch.setattr(run, 'run_fresh', fresh)
    monkeypatch.setattr(run, 'Exports', Exports)
    split = SimpleNamespace(coco=coco, paths=[tmp_path / 'a.jpg'])
    monkeypatch.setattr(run, 'Split', lambda *_: split)
    monkeypatch.setattr(run, 'detector_files', lambda *_: (checkpoint, checkpoint))
    monkeypatch.setattr(Case, 'weights', lambda *_: 'epoch_3')
    return Places(tmp_path, tmp_path, tmp_path, tmp_path / 'out.json')


def rows_of(places: Places) -> dict[str, dict]:
    return {row['runtime']: row for row in json.loads(places.out.read_text())['rows']}


def test_rows_hold_parity_ap_size_and_memory(places):
    compare([CASE], places, precisions=['fp32'])
    rows = rows_of(places)
    assert set(rows) == set(PACKAGES)
    row = rows['ncnn']
    assert (row['detections'], row['same'], row['added'], row['pixels']) == (1, 1, 0, 0.0)
    assert row['ap'] == pytest.approx(1)
    assert (row['size_bytes'], row['peak_memory_bytes']) == (4, 2**20)
    assert row['weights'] == 'epoch_3'


def test_what_pads_is_compared_with_pytorch_that_pads_as_far(places):
    compare([CASE], places, precisions=['fp32'])
    row = rows_of(places)['litert']
    assert (row['side'], row['same'], row['added']) == (320, 1, 0)
    assert rows_of(places)['mnn']['side'] is None
    (table,) = tables_of(json.loads(places.out.read_text()))
    assert '| litert, padded to 320 px | fp32 | 100 |' in markdown(table)


def test_ap_of_random_weights_is_not_stated(places, monkeypatch):
    monkeypatch.setattr(Case, 'weights', lambda *_: RANDOM)
    compare([CASE], places, only='ncnn fp32')
    row = rows_of(places)['ncnn']
    assert (row['weights'], row['ap'], row['same']) == (RANDOM, None, 1)
    (table,) = tables_of(json.loads(places.out.read_text()))
    assert 'random weights' in table.caption


def test_rows_of_other_weights_are_made_again(places, monkeypatch):
    compare([CASE], places, only='mnn fp32')
    monkeypatch.setattr(Case, 'weights', lambda *_: 'epoch_4')
    time_all([CASE], places)
    assert 'times' not in rows_of(places)['mnn']
    compare([CASE], places, only='mnn fp32')
    assert rows_of(places)['mnn']['weights'] == 'epoch_4'


def test_a_runtime_that_fails_is_a_row_with_its_error(places):
    compare([CASE], places, precisions=['fp32'])
    row = rows_of(places)['opencv']
    assert row['error'] == 'ProcessFailed: the process ended with -8: nothing was said'
    assert 'same' not in row


def test_what_is_done_is_left_and_what_failed_is_tried_again(places, monkeypatch):
    compare([CASE], places, precisions=['fp32'])
    tried = []
    monkeypatch.setattr(
        Exports, 'file', lambda self, target, *_: tried.append(target.runtime) or self.folder / 'a'
    )
    compare([CASE], places, precisions=['fp32'])
    assert tried == ['opencv']


def test_times_come_to_the_rows_that_are_there(places):
    compare([CASE], places, only='ncnn fp32')
    time_all([CASE], places)
    assert rows_of(places)['ncnn']['times'] == {
        '1': dict(median_ms=10.0),
        '2': dict(median_ms=5.0),
    }


def test_times_of_some_rows(places):
    compare([CASE], places, precisions=['fp32'])
    time_all([CASE], places, only='onnx')
    assert [name for name, row in rows_of(places).items() if 'times' in row] == ['onnx']


def test_rows_stand_in_the_order_of_runtimes(places):
    for name in ('mnn fp32', 'mnn fp16', 'pytorch', 'onnx fp16', 'onnx fp32'):
        compare([CASE], places, only=name)
    (table,) = tables_of(json.loads(places.out.read_text()))
    named = [' '.join(row[:2]) for row in table.rows]
    assert named == ['pytorch fp32', 'onnx fp32', 'onnx fp16', 'mnn fp32', 'mnn fp16']


def test_random_detector_is_made_once(tmp_path):
    case = Case('lighthead_edge_0.5x_320', folder='edge')
    config, checkpoint = random_detector(case, tmp_path, tmp_path)
    content, when = checkpoint.read_bytes(), checkpoint.stat().st_mtime_ns
    assert Config.fromfile(config).model.roi_head.bbox_head.num_classes == 3
    assert random_detector(case, tmp_path, tmp_path) == (config, checkpoint)
    assert (checkpoint.read_bytes(), checkpoint.stat().st_mtime_ns) == (content, when)


def test_tables_show_every_row(places):
    compare([CASE], places, precisions=['fp32'])
    time_all([CASE], places)
    (table,) = tables_of(json.loads(places.out.read_text()))
    text = markdown(table)
    assert '| mnn | fp32 | 100 | 1 | 0 | 0 | 0 | 1 | 10 | 5 |' in text
    assert 'ended with -8' in text
    assert 'trained (epoch_3), on 1 test pictures of bccd' in table.caption


def test_a_process_that_fails_says_its_last_line(tmp_path):
    with pytest.raises(ProcessFailed, match=r'ended with 1: .*none\.onnx: no such file'):
        run_fresh('detect', {'onnx': [str(tmp_path / 'none.onnx')]}, [], 1)
