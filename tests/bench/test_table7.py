import json
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from paths import ROOT
from torch import nn

from shufflenet_det.backbones.peers import COMPLEXITIES, TABLE7
from shufflenet_det.bench.paper import table7

DEMO = ROOT / 'configs/demo/lighthead_snv2_demo.py'
CELL = table7.Cell('ShuffleNet v1', '40M', seed=3)


class FakeTraining:
    """Writes what a training logs, without training."""

    def __init__(self, *values: float) -> None:
        self.values, self.calls = values, 0

    def __call__(self, config: Path, work_dir: Path) -> None:
        assert config.exists()
        self.calls += 1
        log = work_dir / '20250101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        entries = [{'loss': 1.0}, *({'coco/bbox_mAP': value} for value in self.values)]
        log.write_text('\n'.join(map(json.dumps, entries)))


@pytest.mark.parametrize('family', TABLE7)
def test_every_cell_builds_with_the_recipe_of_the_config(family):
    cell = table7.Cell(family, '40M', 0)
    cfg = table7.cell_config(ROOT / 'configs/lighthead_snv2.py', cell)
    with torch.device('meta'):
        detector = MODELS.build(cfg.model)
    assert detector.backbone.out_strides == (16, 32)
    norms = [m for m in detector.backbone.train().modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(m.training and m.weight.requires_grad for m in norms)
    assert all(p.requires_grad for p in detector.backbone.parameters())
    assert 'init_cfg' not in cfg.model.backbone


@pytest.mark.parametrize('family', TABLE7)
def test_fine_tuned_cells_freeze_what_the_config_freezes(family, tmp_path):
    cell = table7.Cell(family, '40M', 0)
    (tmp_path / f'{cell.network}.pth').touch()
    cfg = table7.cell_config(ROOT / 'configs/lighthead_snv2.py', cell, weights=str(tmp_path))
    cfg.model.backbone.init_cfg = None
    with torch.device('meta'):
        backbone = MODELS.build(cfg.model.backbone).train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(m.training or m.weight.requires_grad for m in norms)
    assert not any(p.requires_grad for p in backbone.conv1.parameters())


def test_every_network_of_the_table_is_published_in_the_paper():
    assert set(table7.PAPER) == set(TABLE7)
    assert {len(names) for names in TABLE7.values()} == {len(COMPLEXITIES)}


def test_weights_of_every_backbone_are_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'snv1_0.5x.pth does not exist: --weights needs'):
        table7.cell_config(DEMO, CELL, weights=str(tmp_path))
    (tmp_path / 'snv1_0.5x.pth').touch()
    cfg = table7.cell_config(DEMO, CELL, weights=str(tmp_path))
    assert cfg.model.backbone.init_cfg.checkpoint == str(tmp_path / 'snv1_0.5x.pth')


def test_finished_cells_are_not_trained_again(tmp_path):
    training = FakeTraining(0.1, 0.25)
    cfg = table7.cell_config(DEMO, CELL)
    assert table7.run_cell(CELL, cfg, tmp_path, training) == 25.0
    assert table7.run_cell(CELL, cfg, tmp_path, training) == 25.0
    assert training.calls == 1
    assert 'seed=3' in (tmp_path / 'snv1_0.5x_seed3' / 'cell_config.py').read_text()


def test_a_cell_of_other_options_is_refused(tmp_path):
    table7.run_cell(CELL, table7.cell_config(DEMO, CELL), tmp_path, FakeTraining(0.1))
    other = table7.cell_config(DEMO, CELL, dict(max_epochs=3))
    with pytest.raises(ValueError, match='another config or of other options'):
        table7.run_cell(CELL, other, tmp_path, FakeTraining(0.2))


def test_a_training_without_evaluation_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='logged no coco/bbox_mAP'):
        table7.run_cell(CELL, table7.cell_config(DEMO, CELL), tmp_path, FakeTraining())


def test_speeds_of_whole_detectors():
    cells = [table7.Cell(family, '40M', 0) for family in ('ShuffleNet v2', 'Xception')]
    configs = {cell.family: table7.cell_config(DEMO, cell) for cell in cells}
    speeds = table7.detector_speeds(configs, (64, 64), 1, 'cpu', turns=3)
    assert list(speeds) == ['ShuffleNet v2', 'Xception'] and min(speeds.values()) > 0


def test_table_shows_mean_and_spread_beside_the_paper():
    cells = [
        dict(family='Xception', complexity='40M', seed=i, mmAP=v) for i, v in enumerate((1, 3))
    ]
    speeds = [dict(family='Xception', complexity='40M', images_per_s=50.0)]
    (row,) = table7.table(dict(cells=cells, speeds=speeds, weights='DIR')).rows
    assert row == ('Xception', '40M', '2.0 ± 1.4', 2, 50.0, 21.9, 178)


@pytest.mark.parametrize(
    'weights, column, caption',
    [
        (None, 'mmAP from scratch (%)', 'Ours start from random weights'),
        ('DIR', 'mmAP fine-tuned (%)', 'Ours start from the weights that were given'),
    ],
)
def test_table_says_where_ours_started(weights, column, caption):
    shown = table7.table(dict(cells=[], speeds=[], weights=weights))
    assert column in shown.header and caption in shown.caption
