"""Checkpoints by URL, from a server of this process."""

import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from torchvision import models

from shufflenet_det.checkpoints import download
from shufflenet_det.checkpoints.download import cache_path, resolve


class Server(BaseHTTPRequestHandler):
    """Sends the folder of the path, unless the folder asks for something else."""

    asked = []
    released = threading.Event()

    def do_GET(self):
        self.asked.append(self.path)
        folder = self.path.split('/')[1]
        content = folder.encode()
        self.send_response(404 if folder == 'missing' else 200)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        if folder == 'silent':
            self.released.wait(60)
        self.wfile.write(content[:2] if folder == 'cut' else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope='module')
def server():
    made = ThreadingHTTPServer(('127.0.0.1', 0), Server)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{made.server_port}'
    Server.released.set()
    made.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    Server.asked.clear()
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    return tmp_path / 'checkpoints'


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        ('torchvision://shufflenet_v3', r'no such name.*shufflenet_v2_x1_0\.default'),
        ('open-mmlab://none', 'no such name'),
        ('gopher://net.pth', 'scheme gopher:// is not known'),
    ],
)
def test_unknown_address_is_an_error(checkpoint, message):
    with pytest.raises(ValueError, match=message):
        resolve(checkpoint)


def test_two_urls_with_the_same_last_name_are_two_files(server):
    paths = {folder: resolve(f'{server}/{folder}/net.pth') for folder in ('a', 'b')}
    assert {folder: path.read_text() for folder, path in paths.items()} == {'a': 'a', 'b': 'b'}
    assert {path.name for path in paths.values()} == {'net.pth'}


def test_a_file_is_asked_for_once(server):
    assert len({resolve(f'{server}/a/net.pth') for _ in range(3)}) == 1
    assert Server.asked == ['/a/net.pth']


def test_name_with_a_hash_is_checked_and_shared_with_torch_hub(server, cache):
    name = f'net-{sha256(b"a").hexdigest()[:8]}.pth'
    assert resolve(f'{server}/a/{name}') == cache / name
    (cache / name).unlink()
    with pytest.raises(OSError, match=f'{server}/b/{name}: download failed .SHA-256 is'):
        resolve(f'{server}/b/{name}')
    assert list(cache.iterdir()) == []


def test_files_of_torchvision_are_those_of_torch_hub(cache):
    url = models.ShuffleNet_V2_X1_0_Weights.DEFAULT.url
    assert cache_path(url) == cache / url.rpartition('/')[2]
    cache.mkdir()
    cache_path(url).write_bytes(b'downloaded before')
    assert resolve('torchvision://shufflenet_v2_x1_0') == cache_path(url)


FAULTS = {
    'missing': 'Not Found',
    'cut': '2 of 3 bytes came',
    'silent': 'timed out',
}


@pytest.mark.parametrize('folder', FAULTS)
def test_failed_download_names_the_url_and_where_to_put_the_file(server, monkeypatch, folder):
    monkeypatch.setattr(download, 'SILENCE', 0.2)
    url = f'{server}/{folder}/net.pth'
    with pytest.raises(OSError, match=f'{url}: .*{FAULTS[folder]}') as error:
        resolve(url)
    assert f'put the file at {cache_path(url)}' in str(error.value)
    assert [entry for entry in cache_path(url).parent.iterdir()] == []
    cache_path(url).write_bytes(b'put there')
    assert resolve(url) == cache_path(url)


@pytest.mark.parametrize('path', ['', '/', '/..', '/a/..'])
def test_every_url_has_a_file_of_its_own_in_the_cache(cache, path):
    found = cache_path(f'http://somewhere{path}')
    assert found.parent.parent == cache and found.name == 'checkpoint.pth'
