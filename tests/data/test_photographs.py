"""Free photographs: licence and source stand in the files of their packages, and on our page."""

from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

import pytest
from nanodet_cases import trained
from paths import RESULTS, ROOT, TOOLS

from shufflenet_det.data import photographs
from shufflenet_det.data.photographs import PHOTOGRAPHS, photograph
from shufflenet_det.deploy.predict import MMDetPredictor

WORDS = {
    'public domain': 'public domain', 'CC0': 'CC0 by the photographer',
    'CC BY 2.0': 'creativecommons.org/licenses/by/2.0',
}  # fmt: skip
"""Licence -> what a package writes of it."""


@pytest.fixture
def installed(request):
    row = PHOTOGRAPHS[request.param]
    pytest.importorskip(row.package, reason=f'needs {row.package}, which carries the photograph')
    return request.param


@pytest.mark.parametrize('installed', PHOTOGRAPHS, indirect=True)
def test_package_states_licence_and_source(installed):
    row, path = PHOTOGRAPHS[installed], photograph(installed)
    folder = Path(find_spec(row.package).submodule_search_locations[0])
    stated = (folder / row.stated_in).read_text()
    assert path.is_file() and WORDS[row.licence] in stated and row.source in stated


def test_absent_package_is_named(monkeypatch):
    monkeypatch.setattr(photographs, 'find_spec', lambda _: None)
    with pytest.raises(ImportError, match='cat comes with the package skimage, which is not'):
        photograph('cat')


def test_page_names_licence_and_source_of_what_it_shows():
    text = ' '.join((ROOT / 'README.md').read_text().split())
    for name in run_path(str(TOOLS / 'front_page.py'))['PHOTOGRAPHED']:
        row = PHOTOGRAPHS[name]
        assert f'{name} ({row.licence}, {row.source})' in text
    assert (RESULTS / 'photographs.jpg').stat().st_size < 200_000


SHOWN = {'astronaut': {'person'}, 'cat': {'cat'}, 'coffee': {'cup', 'dining table'},
         'rocket': set(), 'china': set(), 'flower': set()}  # fmt: skip


@pytest.mark.parametrize('installed', SHOWN, indirect=True)
def test_detector_finds_what_the_page_shows_and_says(installed, test_data):
    row = trained(test_data, 'nanodet-plus-m-416')
    predictor = MMDetPredictor(str(row.config), str(row.checkpoint), 'cpu')
    score = run_path(str(TOOLS / 'front_page.py'))['SCORE']
    _, scores, labels = predictor(photograph(installed))
    assert {predictor.classes[label] for label in labels[scores >= score]} == SHOWN[installed]
