"""The record of all swaps: each model once, resumable, and none changes without a word."""

import json

import pytest
from mmdet.utils import register_all_modules
from paths import RESULTS

from shufflenet_det.bench.views import tables_of
from shufflenet_det.bench.zoo import swaps
from shufflenet_det.bench.zoo.run import config_folder
from shufflenet_det.bench.zoo.swaps import config_files, swap_all

BASE = "_base_ = 'mmdet::{}.py'\n"
RETINANET = BASE.format('retinanet/retinanet_r18_fpn_1x_coco')
FILES = {
    'a/first.py': RETINANET,
    'a/longer.py': RETINANET + 'train_cfg = dict(max_epochs=24)\n',
    'b/hourglass.py': BASE.format('cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco'),
    'b/lost.py': BASE.format('nowhere/at_all'),
    'b/other.py': RETINANET + "load_from = 'detector.pth'\n",
    '_base_/part.py': 'model = dict()\n',
    'common/part.py': 'model = dict()\n',
}


NOT_BUILT = {
    'cascade_rpn/cascade-rpn_r50-caffe_fpn_1x_coco.py': 'not compared: TypeError: '
    "CascadeRPNHead.__init__() missing 1 required positional argument: 'num_classes'",
}
"""MMDetection 3.3 does not build this model of its own, swapped or not."""


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    register_all_modules()
    folder = tmp_path_factory.mktemp('zoo') / 'configs'
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope='module')
def result(root):
    return swap_all(config_files(root), root, None)


@pytest.mark.parametrize(
    'number, config, same, kind, silent',
    [
        (0, 'a/first.py', ['a/longer.py'], 'written', []),
        (1, 'b/hourglass.py', [], 'refused', None),
        (2, 'b/lost.py', [], 'unreadable', None),
        (3, 'b/other.py', [], 'written', []),
    ],
)
def test_each_model_is_swapped_once(result, number, config, same, kind, silent):
    row = result['rows'][number]
    assert (row['config'], row['same'], row['result'], row['silent']) == (
        config, same, kind, silent,
    )  # fmt: skip
    assert bool(row['cause']) == (kind != 'written')


def test_what_is_said_is_kept(result):
    assert [row['said'] for row in result['rows']] == [
        ['backbone', 'in_channels', 'imports'], [], [],
        ['backbone', 'in_channels', 'load_from', 'imports'],
    ]  # fmt: skip


def test_goes_on_where_it_stopped(root, tmp_path, monkeypatch):
    monkeypatch.setattr(swaps, 'silent_changes', lambda *_: ['norm: a -> b'])
    tried = []
    swapped = swaps.swapped
    monkeypatch.setattr(swaps, 'swapped', lambda cfg, row: tried.append(row) or swapped(cfg, row))
    names, out = config_files(root), tmp_path / 'swaps.json'
    swap_all(names[:1], root, out)
    result = swap_all(names, root, out)
    assert [row.config for row in tried] == ['a/first.py', 'b/hourglass.py', 'b/other.py']
    assert result == json.loads(out.read_text()) and len(result['rows']) == 4
    assert result['rows'][0]['same'] == ['a/longer.py']


def test_models_that_cannot_be_compared_say_why(root, monkeypatch):
    monkeypatch.setattr(swaps, 'silent_changes', lambda *_: 1 / 0)
    (row,) = swap_all(['a/first.py'], root, None)['rows']
    assert row['cause'] == 'not compared: ZeroDivisionError: division by zero'
    assert row['silent'] is None and row['result'] == 'written'


def test_unknown_folder_is_named(root):
    with pytest.raises(ValueError, match=r"has no configs in \['nowhere'\]"):
        config_files(root, ['a', 'nowhere'])


def test_tables_count_what_was_silent_and_name_causes(result):
    rows = [*result['rows'], dict(result['rows'][0], same=[], silent=['norm: a -> b'])]
    counts, said, refused, silent = tables_of(dict(kind='zoo swaps', rows=rows))
    assert counts.rows == ((6, 5, 3, 1, 1, 3, 1),)
    assert dict(said.rows)['weights of the whole detector in load_from'] == 1
    assert [row[:2] for row in refused.rows] == [(1, 'b/hourglass.py'), (1, 'b/lost.py')]
    assert silent.rows == (('a/first.py', 'norm: a -> b'),)


@pytest.fixture(scope='module')
def record():
    return json.loads((RESULTS / 'zoo_swaps.json').read_text('utf-8'))


def test_record_has_every_config_of_the_zoo(record):
    names = [name for row in record['rows'] for name in (row['config'], *row['same'])]
    assert sorted(names) == config_files(config_folder())


def test_no_swap_of_the_zoo_changes_norm_freezing_dilation_or_weights_without_a_word(record):
    assert {row['config']: row['silent'] for row in record['rows'] if row['silent']} == {}


def test_every_written_swap_of_the_zoo_was_compared(record):
    written = [row for row in record['rows'] if row['result'] == 'written']
    assert len(written) > 500
    others = {row['config']: row['cause'] for row in written if row['silent'] is None}
    assert others == NOT_BUILT
