import re

import pytest
from paths import RESULTS

from shufflenet_det.bench.failures import line_of


@pytest.mark.parametrize(
    'text, line',
    [
        ("no '/home/me/data/a.json' here", "no 'a.json' here"),
        ("cannot reach 'https://a.b/c d", "cannot reach '(address) d"),
        ('two\nlines, 3/4 of data/coco/a', 'two lines, 3/4 of data/coco/a'),
        ('give torchvision://resnet50', 'give (address)'),
    ],
)
def test_causes_name_no_places(text, line):
    assert line_of(ValueError(text)) == f'ValueError: {line}'


@pytest.mark.parametrize('path', sorted(RESULTS.glob('*.json')), ids=lambda path: path.stem)
def test_no_result_names_a_folder_of_a_machine(path):
    assert not re.search(
        r'(?<![\w.])/(home|root|tmp|work|mnt|data|Users)/', path.read_text('utf-8')
    )
