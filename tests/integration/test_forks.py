"""Forks of MMDetection are installed under another name than they are imported by."""

from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import mmdet
import pytest

from shufflenet_det.integration.mmdet_fixes import let_ssd_predict


class Head:
    """As mmdet 3.3.0's SSD head."""

    def __init__(self) -> None:
        self.num_classes = 1


@pytest.mark.parametrize('version, mended', [('3.3.0', True), ('3.5.1', False)])
def test_ssd_is_mended_by_the_version_of_the_module(version, mended, monkeypatch):
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr('importlib.metadata.version', absent)
    monkeypatch.setattr(mmdet, '__version__', version)
    module = SimpleNamespace(SSDHead=type('SSDHead', (Head,), {}))
    let_ssd_predict(module)
    assert hasattr(module.SSDHead(), 'loss_cls') == mended
