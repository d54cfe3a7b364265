"""What is kept of int8, and how it is read."""

import pytest

from shufflenet_det.bench.proofs.int8 import BLOCKS, SPLITS, Trained, methods
from shufflenet_det.bench.proofs.int8_views import tables
from shufflenet_det.bench.timing import summarise


@pytest.mark.parametrize(
    'text, message',
    [
        ('bccd=a.py', 'SET=CONFIG=CHECKPOINT'),
        ('cells=a.py=a.pth', "set of photographs 'cells' is not known"),
    ],
)
def test_what_is_no_detector_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Trained.parse(text)


def test_a_detector_is_read():
    assert Trained.parse('bccd=a.py=b/c.pth') == Trained('bccd', 'a.py', 'b/c.pth')


def test_each_method_differs_from_the_exporters_at_one_point():
    plain, *others = methods().values()
    for other in others:
        differing = [name for name in vars(plain) if vars(plain)[name] != vars(other)[name]]
        assert len(differing) <= 1
    blocks = {m.left for m in others if m.left != plain.left}
    assert len(blocks) == len(BLOCKS)


def row(precision, ap):
    return dict(data='bccd', runtime='onnx', precision=precision, mib=2.0, sha256=precision,
                ap=dict.fromkeys(SPLITS, ap), ap50=dict.fromkeys(SPLITS, ap))  # fmt: skip


def test_tables_show_what_is_lost_and_the_speed():
    timings = [vars(summarise('', [ms] * 9, images=8)) for ms in (80.0, 40.0)]
    result = dict(
        rows=[row('fp32', 0.544), row('int8', 0.541)], again=timings[0],
        choices=[dict(data='bccd', method='all', ap=0.5, ap50=0.8)],
        times=[dict(data='bccd', runtime='onnx', precision=precision, timing=timing)
               for precision, timing in zip(('fp32', 'int8'), timings, strict=True)],
    )  # fmt: skip
    ap, choices, times, front = tables(result)
    assert ap.rows[1][4:] == ('0.541', '0.541', '+0.003', '+0.003')
    assert choices.rows == (('all', '0.500'),)
    assert times.rows[1][-1].median == pytest.approx(2)
    assert front.rows[1][4:7] == (0.541, 0.541, 5) and front.rows[1][-1].median == pytest.approx(2)
