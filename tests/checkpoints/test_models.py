"""Whole models from their own checkpoints."""

import pytest
import torch
from torch import nn

from shufflenet_det.checkpoints.models import compare, load_model, read_mmengine
from shufflenet_det.checkpoints.report import LeftOut

STATE = {'conv.weight': torch.ones(4, 2), 'head.weight': torch.ones(3)}


def test_everything_loaded():
    report = compare(STATE, STATE, 'net.pth')
    assert (report.loaded, report.total, report.left_out, report.missing) == (2, 2, (), ())
    assert str(report) == 'loaded 2 of 2 tensors from net.pth'


def test_other_shape_is_allowed_in_a_head_only():
    report = compare(STATE, {**STATE, 'head.weight': torch.ones(5)}, 'net.pth')
    assert report.loaded == 1
    assert report.left_out == (LeftOut('head.weight', 1, 'other shape in a head'),)
    with pytest.raises(ValueError, match=r'net\.pth: .*conv\.weight \(1,\) for \(4, 2\)'):
        compare(STATE, {**STATE, 'conv.weight': torch.ones(1)}, 'net.pth')


def test_missing_and_other_tensors_are_named():
    given = {'conv.weight': torch.ones(4, 2), 'neck.a': torch.ones(1), 'neck.b': torch.ones(1)}
    report = compare(STATE, given, 'net.pth')
    assert report.left_out == (LeftOut('neck', 2, 'not in this model'),)
    assert report.missing == ('head.weight',)


def test_no_common_name_is_an_error():
    with pytest.raises(ValueError, match='net.pth: none of its 1 tensors'):
        compare(STATE, {'other': torch.ones(1)}, 'net.pth')


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('wrapped', [False, True])
def test_weights_are_loaded_whatever_wraps_them(prefix, wrapped):
    model, weights = (
        nn.Linear(2, 1),
        {f'{prefix}weight': torch.ones(1, 2), f'{prefix}bias': torch.ones(1)},
    )
    report = load_model(model, {'state_dict': weights} if wrapped else weights, 'net.pth')
    assert report.loaded == report.total == 2
    assert torch.equal(model(torch.ones(2)), torch.tensor([3.0]))


def test_strict_allows_no_other_name():
    with pytest.raises(RuntimeError, match='spare'):
        load_model(
            nn.Linear(1, 1),
            {'weight': torch.ones(1, 1), 'spare': torch.ones(1)},
            'net.pth',
            strict=True,
        )


@pytest.mark.parametrize('dtype', [torch.int8, torch.bool, torch.complex64])
def test_weights_of_another_kind_of_number_are_refused(dtype):
    wrong = {**STATE, 'head.weight': torch.ones(3).to(dtype)}
    with pytest.raises(ValueError, match=rf'net\.pth: 1 weights .*head\.weight {dtype}'):
        compare(STATE, wrong, 'net.pth')


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64])
def test_weights_of_another_precision_are_loaded(dtype):
    model = nn.Linear(2, 1)
    load_model(model, {'weight': torch.ones(1, 2, dtype=dtype)}, 'net.pth')
    assert torch.equal(model.weight, torch.ones(1, 2))


@pytest.mark.parametrize('entry', [3, dict(version='x'), None])
def test_versions_of_modules_that_are_none_are_dropped(tmp_path, entry):
    weights = nn.BatchNorm2d(2).state_dict()
    weights._metadata[''] = entry
    torch.save(weights, tmp_path / 'net.pth')
    model = nn.BatchNorm2d(2)
    report = load_model(model, read_mmengine(str(tmp_path / 'net.pth')), 'net.pth')
    assert report.loaded == report.total == 4
