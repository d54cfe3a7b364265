"""The record of the zoo: each folder once, as it is and swapped; crashes, limits and resuming."""

import os
import re
import time
from datetime import date

import pytest
from mmdet.utils import register_all_modules

from shufflenet_det.bench.views import tables_of
from shufflenet_det.bench.zoo import run
from shufflenet_det.bench.zoo.run import Row, in_own_process, rows_of, run_all, sample_of

SMALL = """
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
model = dict(
    backbone=dict(depth=18), neck=dict(in_channels=[64, 128, 256, 512], out_channels=16),
    bbox_head=dict(in_channels=16, feat_channels=16, stacked_convs=1),
)
"""
FILES = {
    'small': SMALL,
    'many': SMALL + "model['bbox_head']['num_classes'] = 500\n",
    'synchronised': SMALL + "model['neck']['norm_cfg'] = dict(type='MMSyncBN')\n",
    'own_size': "_base_ = 'mmdet::ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py'\n",
    'without_masks': "_base_ = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'\n",
    'wrong': SMALL + "model['neck']['in_channels'] = [1, 2, 3, 4]\n",
}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    register_all_modules()
    folder = tmp_path_factory.mktemp('configs')
    for name, text in FILES.items():
        (folder / name).mkdir()
        (folder / name / f'{name}.py').write_text(text)
    (folder / '_base_').mkdir()
    return folder


def count_for_ever():
    while True:
        pass


def tried(root, name: str, swapped: bool = False, seconds: int = 120) -> Row:
    return in_own_process(Row(name, f'{name}.py', swapped), root, seconds)


@pytest.mark.parametrize(
    'name, swapped',
    [
        ('small', False), ('small', True), ('many', False), ('synchronised', False),
        ('own_size', False), ('without_masks', False),
    ],
)  # fmt: skip
def test_detector_is_built_trained_and_predicts(root, name, swapped):
    row = tried(root, name, swapped)
    assert (row.built, row.trains, row.predicts, row.cause) == (True, True, True, '')


@pytest.mark.parametrize(
    'name, swapped, seconds, cause',
    [
        ('wrong', False, 120, 'train: RuntimeError.*; predict: RuntimeError'),
        ('wrong', True, 120, r'build: ValueError: cannot tell what reads the \[64, 128'),
    ],
)
def test_cause_is_kept(root, name, swapped, seconds, cause):
    row = tried(root, name, swapped, seconds)
    assert not row.predicts
    assert re.match(cause, row.cause), row.cause


@pytest.mark.parametrize(
    'end, cause',
    [
        (lambda *_: os._exit(7), 'build: the process ended with 7'),
        (lambda *_: time.sleep(60), 'build: no answer in 2 s'),
        (lambda *_: count_for_ever(), 'build: needs more than 1 s of CPU time'),
    ],
)
def test_process_that_ends_or_hangs_is_a_row(end, cause, root, monkeypatch):
    monkeypatch.setattr(run, 'PATIENCE', 2 if 'answer' in cause else 100)
    monkeypatch.setattr(run, 'attempt', end)
    assert tried(root, 'small', seconds=1).cause == cause


def test_goes_on_where_it_stopped(root, tmp_path, monkeypatch):
    out = tmp_path / 'zoo.json'
    names = []
    monkeypatch.setattr(run, 'in_own_process', lambda row, *_: names.append(row.folder) or row)
    rows = rows_of(root)
    run_all(rows[:3], root, out)
    result = run_all(rows, root, out)
    assert names == [row.folder for row in rows] == sorted([*FILES, *FILES])
    assert len(result['rows']) == len(rows) and result['environment']['commit']


def test_sample_is_the_same_all_day_and_another_the_next():
    rows = [Row(f'{number:03}', 'a.py', swapped) for number in range(114) for swapped in (0, 1)]
    first, again, other = (sample_of(rows, date(2026, 1, day)) for day in (1, 1, 2))
    assert first == again != other
    assert len({row.folder for row in first}) == 10 and len(first) == 20


def test_light_config_stands_for_a_folder(tmp_path):
    for name in ('sort_faster-rcnn_r50.py', 'big_x101.py', 'faster-rcnn_r50_long.py', 'a_r50.py'):
        (tmp_path / 'sort').mkdir(exist_ok=True)
        (tmp_path / 'sort' / name).touch()
    assert {row.config for row in rows_of(tmp_path)} == {'a_r50.py'}


def test_unknown_folder_is_named(root):
    with pytest.raises(ValueError, match=r"no folder \['nowhere'\]; allowed: \['many'"):
        rows_of(root, ['nowhere'])


def test_tables_count_and_name_failures():
    good = dict(folder='a', config='a.py', swapped=False, built=True, trains=True, predicts=True,
                cause='', seconds=1.0)  # fmt: skip
    bad = good | dict(swapped=True, trains=False, predicts=False, cause='train: KeyError')
    counts, failures = tables_of(dict(kind='zoo', rows=[good, bad]))
    assert counts.rows == (('as it is', 1, 1, 1, 1, 1), ('our backbone', 1, 1, 0, 0, 0))
    assert failures.rows == (('a', 'a.py', 'our backbone', 'yes', 'no', 'no', 'train: KeyError'),)
