"""Published models: the table, and fetching one file."""

import hashlib
from dataclasses import replace
from runpy import run_path

import pytest
import torch
from paths import ROOT, TOOLS

from shufflenet_det.checkpoints import published
from shufflenet_det.checkpoints.published import PUBLISHED, Published

CONTENT = b'weights'
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def row(tmp_path, monkeypatch) -> Published:
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    (tmp_path / 'given.ckpt').write_bytes(CONTENT)
    url = (tmp_path / 'given.ckpt').as_uri()
    return Published('nanodet/nanodet_m_320.py', url, 'model.ckpt', 1.0, sha256=DIGEST)


@pytest.mark.parametrize('name', PUBLISHED)
def test_row_names_a_config_and_a_file_of_its_own(name):
    assert (ROOT / 'configs' / PUBLISHED[name].config).is_file()
    assert PUBLISHED[name].url.startswith('https://')
    assert sum(PUBLISHED[name].file == other.file for other in PUBLISHED.values()) == 1


def test_file_is_fetched_once(row, tmp_path):
    path = published.fetch(row)
    assert path == tmp_path / 'hub/checkpoints/model.ckpt' and path.read_bytes() == CONTENT
    (tmp_path / 'given.ckpt').unlink()
    assert published.fetch(row) == path
    assert [p.name for p in path.parent.iterdir()] == ['model.ckpt']


def test_other_content_is_refused_and_not_kept(row):
    with pytest.raises(ValueError, match=f'SHA-256 is {DIGEST}, .* is 0{{64}}'):
        published.fetch(replace(row, sha256='0' * 64))
    assert not list(published.cached_file(row).parent.iterdir())


def test_proved_state_dict_is_taken_in_its_place(row):
    assert published.fetch(replace(row, sha256='0' * 64, proved=DIGEST)).is_file()


def test_offline_says_where_the_file_goes(row):
    with pytest.raises(OSError, match=r'download failed .*; put the file at .*/model\.ckpt$'):
        published.fetch(replace(row, url='file:///nowhere.ckpt'))


@pytest.mark.parametrize('sha256, verdict', [(DIGEST, 'verified'), (None, 'unverified')])
def test_tool_prints_the_hash_and_whether_it_is_known(row, sha256, verdict, monkeypatch, capsys):
    monkeypatch.setitem(PUBLISHED, 'mine', replace(row, sha256=sha256))
    run_path(str(TOOLS / 'fetch_model.py'))['main'](['mine'])
    assert f'SHA-256 {DIGEST} ({verdict}' in capsys.readouterr().out


def test_unknown_name_lists_the_others():
    with pytest.raises(ValueError, match='nanodet: no published model .*nanodet-plus-m-416'):
        published.published('nanodet')
