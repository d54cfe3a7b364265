"""model-index.yml and the metafiles are what tables, configs and results say."""

from pathlib import Path

import pytest
import yaml
from mmengine.config.utils import _get_cfg_metainfo
from paths import ROOT
from torchvision.models import shufflenet_v2_x1_0

from shufflenet_det.bench import model_index

REMEDY = 'run: python tools/model_index.py'


@pytest.fixture(scope='module')
def files():
    return model_index.index_files(ROOT)


def test_files_are_up_to_date(files):
    written = {p.relative_to(ROOT) for p in (ROOT / 'configs').rglob(model_index.METAFILE)}
    assert written | {Path(model_index.INDEX)} == set(files), REMEDY
    differ = [p for p, text in files.items() if (ROOT / p).read_text(encoding='utf-8') != text]
    assert not differ, REMEDY


def test_every_model_is_complete(files):
    names = set()
    collections = set()
    for path, text in files.items():
        content = yaml.safe_load(text)
        collections |= {c['Name'] for c in content.get('Collections', [])}
        for model in content.get('Models', []):
            assert model['In Collection'] in collections
            assert (ROOT / model['Config']).is_file() and model['Config'].startswith(
                str(path.parent)
            )
            assert model['Metadata']['Parameters'] > 0
            names.add(model['Name'])
    configs = [p for f in model_index.config_folders(ROOT) for p in f.glob('*.py')]
    assert names == {path.stem for path in configs}


def test_mmengine_reads_the_index(tmp_path):
    (tmp_path / '.mim').symlink_to(ROOT)
    meta = _get_cfg_metainfo(str(tmp_path), 'lighthead_snv2.py')
    assert meta['Config'] == 'configs/lighthead_snv2.py'


def test_parameters_are_those_of_the_built_net():
    backbone = dict(type='ShuffleNetV2', arch='1.0x', out_indices=(4,))
    counted = model_index.parameters(backbone)
    assert counted == sum(p.numel() for p in shufflenet_v2_x1_0().parameters()) - 1025 * 1000


@pytest.mark.parametrize(
    'backbone, name',
    [
        (dict(type='ShuffleNetV2', arch='1.0x'), 'snv2_1.0x'),
        (dict(type='ShuffleNetV2', arch='1.0x', frozen_stages=2), 'snv2_1.0x'),
        (dict(type='ShuffleNetV2', arch='1.0x', keep_branch1_width=True), 'snv2_1.0x_megvii'),
        (dict(type='ShuffleNetV2', arch='1.0x', se=True), None),
        (dict(type='ShuffleNetV2', arch='1.0x', large_receptive_field=True), None),
        (dict(type='ShuffleNetV1', arch='2.0x', groups=3), 'snv1_2.0x'),
        (dict(type='ShuffleNetV1', arch='2.0x', groups=8), None),
        (dict(type='ResNet', depth=50), None),
    ],
)
def test_published_macs_belong_to_the_same_net(backbone, name):
    assert model_index.published_name(backbone) == name


def test_published_and_counted_macs_stand_beside_each_other():
    published, counted, reading = model_index._macs(dict(type='ShuffleNetV2', arch='1.0x')).values()
    assert (published, counted) == (146_000_000, 144_907_992)
    assert 'torchvision' in reading


def test_results_and_times_are_found():
    row = dict(config='a', options=[], form='eager', total=dict(median_ms=30.0, images=2))
    other = dict(row, options=['atrous'])
    where = dict(device='chip', threads=2, batch=2, dtype='float32', size=[4, 6])
    results = dict(
        curve=dict(config='configs/a.py', what='a set', curve=[dict(bbox_mAP=0.1234)]),
        speed=dict(kind='detector latency', environment=where, rows=[other, row]),
    )
    (found,) = model_index._accuracy('configs/a.py', results)
    assert found['Metrics'] == {'box AP': 12.3} and found['Dataset'] == 'a set'
    (time,) = model_index._times('a', results)
    assert time['value'] == 15.0 and time['resolution'] == '(4, 6)'
