"""Ten folders of MMDetection, others on each day: the record still holds, no swap is silent."""

import json
from datetime import date

import pytest
from mmdet.utils import register_all_modules
from mmengine.config import Config
from paths import RESULTS

from shufflenet_det.bench.zoo.meaning import silent_changes
from shufflenet_det.bench.zoo.run import (
    ARCH,
    SAMPLE,
    SECONDS,
    Row,
    config_folder,
    in_own_process,
    rows_of,
    sample_of,
)
from shufflenet_det.detectors.swap import backbone_config, swap_backbone

ABSENT = (
    'No module named',
    'is not installed',
    'Please install',
    'Please run',
    'needs the package',
)
"""How MMDetection and its packages say that an optional one is not there."""

numbers = pytest.mark.parametrize('number', range(SAMPLE))  # names would differ among workers


def row(number: int, swapped: bool) -> Row:
    """A row of today's sample."""
    rows = sample_of(rows_of(config_folder()), date.today())
    return [row for row in rows if row.swapped == swapped][number]


def recorded(row: Row) -> dict:
    """What the record says of it; a test of what did not work there skips."""
    rows = json.loads((RESULTS / 'zoo.json').read_text('utf-8'))['rows']
    key = row.folder, row.config, row.swapped
    found = [r for r in rows if (r['folder'], r['config'], r['swapped']) == key]
    if not found or found[0]['cause']:
        pytest.skip(f'{row.folder}: {found[0]["cause"] if found else "not in the record"}')
    return found[0]


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


@pytest.mark.parametrize('swapped', [False, True])
@numbers
def test_what_works_in_the_record_works(number, swapped):
    wanted = row(number, swapped)
    recorded(wanted)
    tried = in_own_process(wanted, config_folder(), SECONDS)
    if any(words in tried.cause for words in ABSENT):
        pytest.skip(f'{tried.folder}: {tried.cause}')
    assert tried.cause == '', f'{tried.folder}/{tried.config}'


@numbers
def test_swap_says_all_that_it_changes(number):
    wanted = row(number, True)
    recorded(wanted)
    try:
        before = Config.fromfile(config_folder() / wanted.folder / wanted.config)
    except ImportError as error:
        pytest.skip(f'{wanted.folder}: {error}')
    after, changes = swap_backbone(before, backbone_config(ARCH))
    assert silent_changes(before, after, changes) == [], f'{wanted.folder}/{wanted.config}'
