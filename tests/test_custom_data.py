"""The worked examples of configs/custom on small sets of their formats."""

import pytest
from drill.tiny import shrink, train
from mmdet.registry import METRICS
from mmdet.utils import register_all_modules
from paths import ROOT

from shufflenet_det.data import CLASSES, generate, generate_voc
from shufflenet_det.training import DataError
from shufflenet_det.training.launch import check_paths, load_config, prepare_test

FORMATS = {  # config: generator, metric
    'my_coco': (generate, 'coco/bbox_mAP'),
    'my_voc': (generate_voc, 'pascal_voc/mAP'),
}


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    """A folder with a small set for each config."""
    folder = tmp_path_factory.mktemp('custom')
    for name, (make, _) in FORMATS.items():
        make(folder / name, num_train=12, num_val=2)
    return folder


@pytest.fixture
def cfg(request, sets, tmp_path):
    register_all_modules()
    cfg = load_config(
        ROOT / f'configs/custom/{request.param}.py', dict(data_root=str(sets / request.param))
    )
    shrink(cfg)
    cfg.train_dataloader.dataset.indices = 4
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.work_dir, cfg.log_level = str(tmp_path / 'work'), 'WARNING'
    return cfg


@pytest.mark.parametrize('cfg, metric', [(k, v[1]) for k, v in FORMATS.items()], indirect=['cfg'])
def test_trains_and_evaluates(cfg, metric):
    check_paths(cfg, ('train', 'val'))
    runner = train(cfg)
    assert runner.iter == 2
    assert 0 <= runner.message_hub.get_scalar(f'val/{metric}').current() <= 1


@pytest.mark.parametrize('cfg', FORMATS, indirect=True)
def test_classes_reach_every_split_and_the_head(cfg):
    for split in ('train', 'val', 'test'):
        assert cfg[f'{split}_dataloader'].dataset.metainfo.classes == CLASSES
    assert cfg.model.roi_head.bbox_head.num_classes == len(CLASSES)


@pytest.mark.parametrize('cfg', FORMATS, indirect=True)
def test_misspelt_class_stops_before_step_1(cfg):
    cfg.train_dataloader.dataset.metainfo.classes = ('disc', *CLASSES[1:])
    with pytest.raises(DataError, match=r"not in the file: \['disc'\]"):
        check_paths(cfg, ('train',))


@pytest.mark.parametrize('cfg', ['my_coco'], indirect=True)
def test_renamed_class_stops_an_evaluation_too(cfg):
    cfg.test_dataloader.dataset.metainfo.classes = ('disc', *CLASSES[1:])
    with pytest.raises(DataError, match=r"test_dataloader.*not in the file: \['disc'\]"):
        check_paths(cfg, ('test',))


@pytest.mark.parametrize('cfg', FORMATS, indirect=True)
def test_other_number_of_classes_stops_before_step_1(cfg):
    cfg.model.roi_head.bbox_head.num_classes = 80
    with pytest.raises(DataError, match=r'num_classes=80.*8 classes'):
        check_paths(cfg, ('train',))


@pytest.mark.parametrize('cfg', ['my_voc'], indirect=True)
def test_faulty_voc_box_stops_before_step_1(cfg, sets, tmp_path):
    generate_voc(tmp_path / 'set', num_train=12, num_val=1)
    cfg.train_dataloader.dataset.data_root = str(tmp_path / 'set')
    path = next(p for p in (tmp_path / 'set/Annotations').glob('train*') if 'xmax' in p.read_text())
    text = path.read_text()
    last = text.partition('<xmax>')[2].partition('<')[0]
    path.write_text(text.replace(f'<xmax>{last}<', '<xmax>1<', 1))
    with pytest.raises(DataError, match=f'empty box: image {path.stem}'):
        check_paths(cfg, ('train',))


@pytest.mark.parametrize('cfg', FORMATS, indirect=True)
def test_classwise_evaluation_builds(cfg):
    prepare_test(cfg, 'work', 'torchvision://x', classwise=True)
    metric = METRICS.build(cfg.test_evaluator)
    assert cfg.test_evaluator.type == 'VOCMetric' or metric.classwise
