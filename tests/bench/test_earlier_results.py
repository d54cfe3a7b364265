"""What a run that goes on takes over from its result file."""

import pytest

from shufflenet_det.bench.environment import earlier_result
from shufflenet_det.bench.photos.runner import keep, read_rows


@pytest.mark.parametrize(
    'content, held',
    [
        ('{"kind": "photo steps", "rows": [{"name": "a"}]}', "a result of kind 'photo steps'"),
        ('{"images": [], "annotations": []}', 'no result'),
        ('[]', 'no result'),
        ('a detector', 'no result'),
    ],
)
def test_a_file_of_another_kind_is_not_gone_on_with(content, held, tmp_path):
    path = tmp_path / 'mine.json'
    path.write_text(content)
    with pytest.raises(
        ValueError, match=rf"mine\.json: holds {held}, not of kind 'photos'; choose"
    ):
        keep(path, 'photos', [dict(name='b')])
    assert path.read_text() == content


def test_a_result_of_the_same_kind_is_gone_on_with(tmp_path):
    path = tmp_path / 'mine.json'
    for name in ('a', 'b', 'a'):
        keep(path, 'photos', [dict(name=name)])
    assert [row['name'] for row in read_rows(path, 'photos')] == ['a', 'b']
    assert earlier_result(None, 'photos') == earlier_result(tmp_path / 'none', 'photos') == {}
