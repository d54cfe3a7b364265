"""Published models: the table, and fetching one file."""

import hashlib
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from runpy import run_path

import pytest
import torch
from paths import ROOT, TOOLS

from shufflenet_det.checkpoints import published
from shufflenet_det.checkpoints.download import cache_path
from shufflenet_det.checkpoints.published import PUBLISHED, Published

CONTENT = b'weights'
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def row(tmp_path, monkeypatch):
    """A row whose file a server of this machine gives away once."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    (tmp_path / 'model.ckpt').write_bytes(CONTENT)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    monkeypatch.setattr(SimpleHTTPRequestHandler, 'log_message', lambda *_: None)
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{server.server_port}/model.ckpt'
    yield Published('nanodet/nanodet_m_320.py', url, 1.0, sha256=DIGEST)
    server.shutdown()


@pytest.mark.parametrize('name', PUBLISHED)
def test_row_names_a_config_and_a_file_of_its_own(name):
    row = PUBLISHED[name]
    assert (ROOT / 'configs' / row.config).is_file()
    assert row.file or row.url.startswith('https://')
    assert sum((row.url, row.file) == (other.url, other.file) for other in PUBLISHED.values()) == 1


def test_file_is_fetched_once(row, tmp_path):
    path = published.fetch(row)
    assert path == cache_path(row.url) and path.read_bytes() == CONTENT
    (tmp_path / 'model.ckpt').unlink()
    assert published.fetch(row) == path


def test_other_content_is_refused_and_not_kept(row):
    with pytest.raises(ValueError, match=f'SHA-256 is {DIGEST}, .* is 0{{64}}'):
        published.fetch(replace(row, sha256='0' * 64))
    assert not cache_path(row.url).exists()


def test_own_file_is_refused_and_kept(row):
    path = cache_path(row.url)
    path.parent.mkdir(parents=True)
    path.write_bytes(b'other')
    with pytest.raises(ValueError, match='delete the file'):
        published.fetch(row)
    assert path.exists()


def test_proved_state_dict_is_taken_in_its_place(row):
    assert published.fetch(replace(row, sha256='0' * 64, proved=DIGEST)).is_file()


def test_packaged_file_is_there_and_its_own(monkeypatch):
    row = PUBLISHED['blood-cells']
    assert published.fetch(row) == published.packaged_file('blood-cells')
    with pytest.raises(ValueError, match='that of blood_cells.onnx is 0{64}'):
        published.fetch(replace(row, sha256='0' * 64))


@pytest.mark.parametrize('name', ['nanodet-m', 'none', 'model.onnx'])
def test_other_names_are_no_packaged_file(name):
    assert published.packaged_file(name) is None


def test_missing_file_says_where_it_goes(row):
    with pytest.raises(OSError, match=r'download failed .*; put the file at .*/gone\.ckpt'):
        published.fetch(replace(row, url=row.url.replace('model', 'gone')))


@pytest.mark.parametrize('sha256, verdict', [(DIGEST, 'verified'), (None, 'unverified')])
def test_tool_prints_the_hash_and_whether_it_is_known(row, sha256, verdict, monkeypatch, capsys):
    monkeypatch.setitem(PUBLISHED, 'mine', replace(row, sha256=sha256))
    run_path(str(TOOLS / 'fetch_model.py'))['main'](['mine'])
    assert f'SHA-256 {DIGEST} ({verdict}' in capsys.readouterr().out


def test_unknown_name_lists_the_others():
    with pytest.raises(ValueError, match='nanodet: no published model .*nanodet-plus-m-416'):
        published.published('nanodet')
