"""What is decided for a folder of one's own, and which values may be given in place of that."""

import math
import re
from dataclasses import astuple

import pytest
from paths import ROOT

from shufflenet_det.training.decisions import CHOSEN, Counts, Recipe, Settings, decide

PAGE = ROOT / 'configs/custom/README.md'
RECIPE = Recipe(batch_size=8, lr=1.0)
DECISIONS = {
    Counts(4, 1000, 0.2): Settings(2, 500, 0.5, 320, 50),
    Counts(20, 1000, 0.2): Settings(5, 250, 0.7906, 320, 25),
    Counts(80, 1000, 0.2): Settings(8, 100, 1.0, 320, 10),
    Counts(100, 1000, 0.04): Settings(8, 77, 1.0, 416, 7),
    Counts(100, 320, 0.04): Settings(8, 77, 1.0, 320, 7),
    Counts(205, 640, 0.146): Settings(8, 56, 1.0, 320, 5),
    Counts(448, 416, 0.045): Settings(8, 38, 1.0, 416, 3),
    Counts(2000, 1000, 0.03): Settings(8, 18, 1.0, 416, 1),
}
"""What is counted -> what is decided, the learning rate as a share of the recipe's."""


@pytest.mark.parametrize('counts, settings', DECISIONS.items())
def test_decision(counts, settings):
    assert astuple(decide(counts, RECIPE)[0]) == pytest.approx(astuple(settings), abs=1e-4)


def test_page_shows_the_decisions():
    rows = [
        f'| {counts.images} | {counts.long_side} | {counts.box_side * 100:g} % '
        f'| {settings.batch_size} | {settings.epochs} '
        f'| {settings.epochs * -(-counts.images // settings.batch_size)} '
        f'| {settings.lr:.2f} | {settings.size} |'
        for counts, settings in DECISIONS.items()
    ]
    text = PAGE.read_text()
    assert [row for row in rows if row not in text] == []


def test_what_is_given_is_not_decided():
    settings, reasons = decide(Counts(100, 1000, 0.2), RECIPE, dict(epochs=3, size=256, lr=None))
    assert (settings.epochs, settings.size, settings.lr) == (3, 256, 1.0)
    assert reasons['epochs'] == reasons['size'] == 'as given' != reasons['lr']


@pytest.mark.parametrize('value', ['abc', 0, -1, math.nan, math.inf, (320, 320), True])
@pytest.mark.parametrize('field', CHOSEN)
def test_value_that_nothing_trains_with_is_named(field, value):
    with pytest.raises(ValueError, match=rf'own_photos\.{field}={re.escape(repr(value))}: give a'):
        decide(Counts(100, 1000, 0.2), RECIPE, {field: value})


@pytest.mark.parametrize('field, value', [('epochs', 1.5), ('batch_size', 2.0), ('size', 64)])
def test_count_that_nothing_trains_with_is_named(field, value):
    with pytest.raises(ValueError, match=f'own_photos.{field}={value}: give a whole number from'):
        decide(Counts(100, 1000, 0.2), RECIPE, {field: value})
