"""tools/deploy.py writes a config and a checkpoint that need no training form."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.config import Config
from small_detector import Files, make_files, run_tool
from torch import nn

from shufflenet_det.deploy.checkpoint import write_deploy
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.deploy.shuffle_free import ShuffleFreeBackbone


@pytest.fixture(scope='module', params=['single', 'fpn'])
def files(request, tmp_path_factory) -> Files:
    return make_files(request.param, tmp_path_factory.mktemp('trained'))


def test_deploy_form_detects_the_same(files, image, tmp_path):
    run_tool('deploy', files.config, files.checkpoint, '--out-dir', tmp_path)
    deployed = MMDetPredictor(str(tmp_path / 'deploy.py'), str(tmp_path / 'deploy.pth'), 'cpu')
    assert isinstance(deployed.model.backbone, ShuffleFreeBackbone)
    assert deployed.classes == ('circle', 'square', 'star')
    expected = files.predictor()(image)
    for ours, theirs in zip(deployed(image), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    with pytest.raises(ValueError, match='in its deploy form already'):
        write_deploy(deployed.model, deployed.model.cfg, tmp_path / 'again')


def test_model_without_the_backbone_is_refused(tmp_path):
    cfg = Config(dict(model=dict(type='RetinaNet')))
    with pytest.raises(ValueError, match='ShuffleNetV2'):
        write_deploy(nn.Identity(), cfg, tmp_path)
    assert not list(tmp_path.iterdir())
