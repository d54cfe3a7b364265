"""What a suite of another project says, with and without the hook."""

import pytest

from harness import suites
from shufflenet_det.bench.report import markdown_tables

PROJECT = r"""
import pytest
from mmengine.runner import Runner
from torch import nn

@pytest.mark.parametrize('scope', ['mmdet', 'mmengine'])
def test_hooks(tmp_path, scope):
    runner = Runner(nn.Linear(1, 1), str(tmp_path), default_scope=scope, experiment_name=scope)
    last = type(runner.hooks[-1]).__name__
    assert last != 'ProtectionHook', '\x1b[1m/home/me/x.py\x1b[0m'

def test_passes():
    import mmcv.ops

def test_lacks():
    pytest.skip('no such thing')
"""
PROTECTED = [f'tests.test_own.test_hooks[{scope}]' for scope in ('mmdet', 'mmengine')]


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    tests = tmp_path_factory.mktemp('project') / 'tests'
    tests.mkdir()
    (tests / 'test_own.py').write_text(PROJECT)
    return suites.compared('own 1.0', tests)


def test_every_runner_has_the_hook_or_none(found):
    assert found[0] == [
        dict(suite='own 1.0', hook='without', tests=4, passed=3, skipped=1, failed=0),
        dict(suite='own 1.0', hook='with', tests=4, passed=1, skipped=1, failed=2),
    ]
    assert [(row['test'], row['hook']) for row in found[1]] == [(t, 'with') for t in PROTECTED]


def test_errors_name_no_place_and_no_colour(found):
    assert {row['error'] for row in found[1]} == {'AssertionError: x.py'}


def test_tests_that_end_without_a_report_are_named(tmp_path):
    (tmp_path / 'tests').mkdir()
    with pytest.raises(ValueError, match='pytest ended with 4 and no report'):
        suites.run(tmp_path / 'tests', ('--no-such-option',))


@pytest.mark.parametrize('path', ['tests/none', 'elsewhere'])
def test_tests_that_are_not_there_are_named(tmp_path, path):
    (tmp_path / 'tests').mkdir()
    with pytest.raises(ValueError, match=f'{path} is not there.*give NAME=CHECKOUT/tests'):
        suites.run(tmp_path / path, ())


def test_result_is_shown_as_a_table(found):
    (table, *_) = markdown_tables({'suites': dict(suites=found[0], what='Tests.')}).values()
    assert '| own 1.0 | with | 4 | 1 | 1 | 2 |' in table
