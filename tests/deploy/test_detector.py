"""Detectors out of config and checkpoint: whose class names they take."""

import pytest
import torch
from drill.tiny import tiny_config
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from shufflenet_det.data import CLASSES
from shufflenet_det.deploy.detector import load_detector

NAMES = tuple(f'class {i}' for i in range(len(CLASSES)))


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A config of eight classes and the weights of its detector."""
    register_all_modules()
    folder = tmp_path_factory.mktemp('detector')
    cfg = tiny_config(folder / 'data', folder / 'work')
    cfg.dump(folder / 'tiny.py')
    return folder / 'tiny.py', MODELS.build(cfg.model).state_dict()


META = {
    'weights only': (None, CLASSES),
    'no names': (dict(epoch=1), CLASSES),
    'no classes': (dict(dataset_meta=dict(classes=())), CLASSES),
    'mmdet 3': (dict(dataset_meta=dict(classes=NAMES)), NAMES),
    'mmdet 3, upper case': (dict(dataset_meta=dict(CLASSES=NAMES)), NAMES),
    'mmdet 2': (dict(CLASSES=list(NAMES)), NAMES),
}


@pytest.mark.parametrize('case', META)
def test_class_names_are_the_checkpoints_or_else_the_configs(files, tmp_path, case):
    config, weights = files
    meta, names = META[case]
    content = weights if meta is None else dict(state_dict=weights, meta=meta)
    torch.save(content, tmp_path / 'net.pth')
    detector = load_detector(str(config), str(tmp_path / 'net.pth'))
    assert detector.dataset_meta['classes'] == tuple(names)
    assert not detector.training
    loaded = detector.state_dict()
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)


def test_checkpoint_of_another_model_is_an_error(files, tmp_path):
    torch.save({'a.weight': torch.ones(1)}, tmp_path / 'net.pth')
    with pytest.raises(ValueError, match=r'net\.pth: none of its 1 tensors belongs to the model'):
        load_detector(str(files[0]), str(tmp_path / 'net.pth'))
