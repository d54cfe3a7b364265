"""Single settings of a command line: their values, and slips in their keys."""

import argparse

import pytest
from paths import ROOT

from shufflenet_det.training import launch

SETTINGS = {
    'a=1': 1, 'a=.5': 0.5, 'a=true': True, 'a=b': 'b', 'a=1,2': [1, 2], 'a=(1, 2)': (1, 2),
    'a=[(1, 2), b]': [(1, 2), 'b'], 'a=my photos': 'my photos', "a='my photos'": 'my photos',
    'a=a, b': ['a', 'b'], 'a=here, (1)': 'here, (1)',
}  # fmt: skip
"""Argument -> its value, where there is a folder `here, (1)`."""


@pytest.mark.parametrize('given, value', SETTINGS.items())
def test_settings_are_mmengines_but_for_paths(tmp_path, monkeypatch, given, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'here, (1)').mkdir()
    parser = argparse.ArgumentParser()
    launch.add_launch_arguments(parser)
    assert parser.parse_args(['--cfg-options', given]).cfg_options == dict(a=value)


@pytest.mark.parametrize(
    'setting, meant',
    [
        ('modle.backbone.arch', 'model'),
        ('own_photo.epochs', 'own_photos'),
        ('load_form', 'load_from'),
        ('train_cgf.max_epochs', 'train_cfg'),
        ('data_rot', 'data_root'),
    ],
)
def test_slip_in_a_key_is_named(setting, meant):
    with pytest.raises(ValueError, match=rf'{setting}: .*; did you mean {meant}\?'):
        launch.load_config(ROOT / 'configs/custom/my_photos.py', {setting: 1})


def test_new_keys_are_taken():
    given = dict(my_note='a', tta_pipeline=[], resume=False, val_begin=2)
    cfg = launch.load_config(ROOT / 'configs/demo/lighthead_snv2_demo.py', given)
    assert {key: cfg[key] for key in given} == given
