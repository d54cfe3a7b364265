"""Forms of a training step: made when asked for, and shown beside the first."""

import math
import threading
from multiprocessing import Pipe

import pytest

from shufflenet_det.bench.training_forms import FORMS, serve
from shufflenet_det.bench.views import tables_of
from shufflenet_det.data import generate


def test_a_step_is_made_whenever_it_is_asked_for(tmp_path):
    generate(tmp_path / 'set', num_train=2, num_val=1)
    settings = {
        'data_root': str(tmp_path / 'set'), 'model.backbone.arch': '0.5x',
        'train_dataloader.batch_size': 2, 'train_dataloader.num_workers': 0,
    }  # fmt: skip
    ours, theirs = Pipe()
    arguments = (theirs, 'configs/demo/lighthead_snv2_demo.py', settings, 'channels-last')
    server = threading.Thread(target=serve, args=arguments)
    server.start()
    assert ours.recv() == 2
    losses = []
    for _ in range(2):  # of two epochs
        ours.send(True)
        spent, loss = ours.recv()
        assert spent.wall_ms > 0 and spent.cpu_ms > 0
        losses.append(loss)
    ours.send(False)
    server.join()
    assert all(map(math.isfinite, losses)) and losses[0] != losses[1]


def test_forms_stand_beside_the_first():
    def timing(ms):
        return dict(turns_ms=[ms] * 6, median_ms=ms, n=6, images=8, cpu_ms=ms)

    rows = [dict(form=form, timing=timing(100.0 / (1 + i)), losses=[1.0 + 0.01 * i, 5.0])
            for i, form in enumerate(FORMS)]  # fmt: skip
    result = dict(kind='training forms', config='c', data='d', rows=rows, again=timing(100.0))
    (table,) = tables_of(result)
    first, second, *_ = table.rows
    assert first[-1] == 0 and first[-3] == 80 and second[-1] == pytest.approx(1)
    assert second[-2].median == pytest.approx(2)
