import numpy as np
import pytest

from shufflenet_det.training import check_predictions

GOOD = dict(boxes=[[0, 0, 5, 5]], scores=[0.5], labels=[0])


def fault_of(**changes) -> str:
    """What is said of a prediction; nothing of a defined one."""
    given = {key: np.array(value) for key, value in {**GOOD, **changes}.items()}
    try:
        check_predictions('im', num_classes=2, **given)
    except ValueError as error:
        return str(error)
    return ''


@pytest.mark.parametrize(
    'changes',
    [
        {},
        dict(boxes=[[3, 3, 3, 3]]),
        dict(scores=[-0.5]),
        dict(scores=[1.5]),
        dict(boxes=np.zeros((0, 4)), scores=[], labels=[]),
    ],
)
def test_defined_predictions_pass(changes):
    assert fault_of(**changes) == ''


@pytest.mark.parametrize(
    ('changes', 'fault'),
    [
        (dict(boxes=[[np.nan, 0, 5, 5]]), 'not finite'),
        (dict(boxes=[[0, 0, np.inf, 5]]), 'not finite'),
        (dict(boxes=[[0, 6, 5, 5]]), 'negative size'),
        (dict(scores=[np.nan]), 'score is not finite'),
        (dict(scores=[np.inf]), 'score is not finite'),
        (dict(labels=[2]), 'label is not in 0 to 1'),
        (dict(labels=[-1]), 'label is not in 0 to 1'),
    ],
)
def test_undefined_predictions_are_rejected(changes, fault):
    assert fault_of(**changes).startswith('image im: 1 of 1 predictions rejected, ')
    assert fault in fault_of(**changes)
