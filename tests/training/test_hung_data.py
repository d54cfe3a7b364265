"""Data workers whose disk hangs."""

import multiprocessing
import time

import pytest
from line import Numbers, loader, protected

from shufflenet_det.training import pipelines


class Hung(Numbers):
    def __getitem__(self, index):
        time.sleep(3600)


def test_workers_that_give_no_batch_are_an_error_after_a_stated_time(tmp_path, monkeypatch):
    monkeypatch.setattr(pipelines, 'NO_BATCH', 1)
    runner = protected(tmp_path, 1, train_dataloader=dict(loader(), dataset=Hung(), num_workers=1))
    with pytest.raises(RuntimeError, match='timed out after 1 seconds'):
        runner.train()
    for child in multiprocessing.active_children():
        child.kill()
