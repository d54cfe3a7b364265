import os
import subprocess
import sys

import pytest

from harness.load import EVALUATION, TRAINING, repeated
from harness.usage import Bound, Usage, judge, usage_now

BOUNDS = dict(resident_mib=Bound(4, 32))


def rows(memory, start=0):
    return [Usage(start + 50 * i, value, value, 9, 0, 3) for i, value in enumerate(memory)]


def verdict(memory, start=0, warm_up=200):
    (found,) = judge('run', rows(memory, start), BOUNDS, warm_up)
    return found


@pytest.mark.parametrize(
    ('memory', 'flat'),
    [
        ([500] * 40, True),
        ([500 + i % 5 for i in range(40)], True),  # noise
        ([100, 200, 300, 400] + [500] * 36, True),  # grows in the warm-up only
        ([500 - i for i in range(30)], True),  # gives memory back
        ([500 + 0.5 * i for i in range(40)], False),  # 10 MiB in 1,000 iterations
        ([500] * 39 + [540], False),  # a jump at the end
        ([500] * 20 + [540] + [500] * 19, False),  # a peak
    ],
)
def test_verdict_on_memory(memory, flat):
    found = verdict(memory)
    assert found.flat is flat
    assert ('NOT FLAT' in str(found)) is not flat


def test_verdict_gives_what_was_measured():
    found = verdict([500 + i for i in range(24)])
    assert (found.first_step, found.last_step) == (200, 1150)
    assert (found.smallest, found.largest, found.slope_per_1000) == (504, 523, 20)


def test_run_that_is_too_short_is_an_error():
    with pytest.raises(ValueError, match='run: 6 measurements from step 200 on, 8 are needed'):
        verdict([500] * 10)


@pytest.mark.parametrize('bounds', [TRAINING, EVALUATION])
@pytest.mark.parametrize('field', ['resident_mib', 'files', 'shared_tensors', 'processes'])
def test_one_more_in_every_iteration_is_not_flat(bounds, field):
    flat = dict(resident_mib=500, peak_mib=500, files=9, shared_tensors=0, processes=3)
    series = [Usage(step=i, **{**flat, field: flat[field] + i}) for i in range(0, 2000, 50)]
    found = {v.field: v.flat for v in judge('run', series, bounds, 200)}
    assert found == {name: name != field for name in bounds}


def test_descendants_and_their_files_are_counted():
    alone = usage_now(0)
    child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    with open(os.devnull):
        with_child = usage_now(1)
    child.communicate(b'\n')
    assert with_child.processes == alone.processes + 1
    assert with_child.files >= alone.files + 3
    assert with_child.resident_mib > 0 < with_child.peak_mib


def test_repeated_images_keep_their_annotations_under_new_ids():
    images = [dict(id=7, file_name='a'), dict(id=9, file_name='b')]
    annotations = [dict(id=4, image_id=9), dict(id=5, image_id=9), dict(id=6, image_id=7)]
    many = repeated(dict(images=images, annotations=annotations), 3)
    assert [image['file_name'] for image in many['images']] == ['a', 'b', 'a']
    assert [a['image_id'] for a in many['annotations']] == [1, 2, 2, 3]
    assert [a['id'] for a in many['annotations']] == [1, 2, 3, 4]
