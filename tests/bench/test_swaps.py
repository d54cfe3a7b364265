import pytest
from mmdet.utils import register_all_modules

from shufflenet_det.bench.proofs import swaps
from shufflenet_det.bench.tables import markdown

ROW = dict(
    config='a', detector='FCOS', backbone='1.0x', losses=[99, *range(20, 0, -1)], before=1,
    parameters=4_000_000, with_gradient=3_000_000, boxes=1000, images=10,
    without_gradient=['head.scales.3.scale', 'head.scales.4.scale', 'head.scales.4.bias'],
)  # fmt: skip


def test_table_compares_the_same_images():
    cells = markdown(swaps.table(dict(rows=[ROW]))).splitlines()[-1].split(' | ')
    assert cells[3:8] == ['1', '18', '3', '4,000,000', '3,000,000']
    assert cells[8] == 'head.scales.3, head.scales.4'


def test_all_gradients_are_said():
    row = dict(ROW, with_gradient=4_000_000, without_gradient=[])
    assert '| 4,000,000 | 4,000,000 | none |' in markdown(swaps.table(dict(rows=[row])))


@pytest.mark.parametrize(
    'backbone, name',
    [
        (dict(arch='1.0x'), '1.0x'),
        (dict(arch='0.5x', se=True, large_receptive_field=True), '0.5x se v2*'),
    ],
)
def test_backbone_name(backbone, name):
    assert swaps.backbone_name(backbone) == name


def test_unknown_config_is_named():
    with pytest.raises(ValueError, match=r"\['fcos'\]; allowed: \['atss_snv2_0.5x'"):
        swaps.pick(['fcos'])


def test_measures_on_real_images(test_data, monkeypatch):
    register_all_modules()
    monkeypatch.setattr(swaps, 'ROUNDS', 1)
    (path,) = swaps.pick(['ssdlite_snv2_0.5x'])
    row = swaps.try_out(path, test_data / 'coco128_train2017')
    assert len(row.losses) == swaps.BATCHES and row.boxes > 0 and row.images == 10
    assert 0.9 * row.parameters < row.with_gradient <= row.parameters
    assert all('reg_convs' in name for name in row.without_gradient)
