"""A budget for a whole detector: its head by itself, the sum, the config."""

from dataclasses import replace

import pytest
import torch

from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.bench.budget import choose as budget_choose
from shufflenet_det.bench.budget.candidates import Candidate
from shufflenet_det.bench.budget.choose import Plan, choose
from shufflenet_det.bench.budget.heads import HEADS, StandIn, detector, head_part, head_run
from shufflenet_det.bench.budget.result import config_text
from shufflenet_det.bench.timing import summarise
from shufflenet_det.training.launch import load_config

SMALL = Candidate(0.5, (2, 4, 2), 'plain', (64, 96))


@pytest.mark.parametrize('head', HEADS)
def test_a_head_alone_reads_what_the_backbone_would_give(head):
    """Eager, around another width; a stand-in has the channels and sizes of the levels."""
    candidate = replace(SMALL, width=0.75)
    whole = detector(candidate, head)
    levels = whole.backbone(torch.zeros(1, 3, 64, 96))
    run = head_run(candidate, head, 'eager', torch.zeros(1, 3, 1, 1))
    assert [a.shape for a in run.model.backbone(run.x)] == [level.shape for level in levels]
    assert len(run()) == 1 and head_part(candidate, head).out_channels == levels[-1].shape[1]


def test_a_head_in_the_deploy_form_follows_the_form_without_shuffles():
    run = head_run(SMALL, 'light-head', 'deploy', torch.zeros(1, 3, 1, 1))
    assert isinstance(run.model.backbone, StandIn) and len(run()) == 1


@pytest.mark.parametrize('form', ['eager', 'deploy'])
def test_a_detector_is_its_backbone_and_its_head(form, monkeypatch):
    """Times are the number of the parts, so that the sum is exact."""
    pool = [replace(SMALL, depth=depth) for depth in ((1, 1, 1), (1, 2, 1), (2, 2, 2), (2, 4, 2))]
    for name in ('DETECTORS_FITTED', 'DETECTORS_HELD_OUT'):
        monkeypatch.setattr(budget_choose, name, 2)
    for name in ('part_run', 'head_run', 'detector_run'):
        monkeypatch.setattr(budget_choose, name, lambda what, *_: what)
    plan = Plan(1e3, form, turns=3, head='fpn')

    def ms(what):
        if isinstance(what, Candidate):
            return 2.0 * sum(ms(part) for part in plan.parts(what)) + 7.0
        return {'head': 7.0, 'last conv': 1e9}.get(what.kind, what.units)

    monkeypatch.setattr(
        budget_choose, 'measure', lambda runs, *_: [summarise('x', [ms(k)] * 3) for k in runs]
    )
    choice = choose(pool, plan)
    assert [p.predicted_ms for p in choice.predictions] == pytest.approx([ms(c) for c in pool])
    assert choice.chosen.candidate == pool[-1] and choice.agreement.n == 2
    assert [(part.kind, part.variant) for part, _ in choice.parts][-1] == ('head', 'fpn')


@pytest.mark.parametrize('head', HEADS)
def test_the_config_builds_the_chosen_detector(head, tmp_path):
    path = tmp_path / 'chosen.py'
    path.write_text(config_text(SMALL, head))
    backbone = load_config(path).model.backbone
    assert backbone.frozen_stages == -1 and backbone.norm_cfg.requires_grad
    backbone.pop('type')
    assert ShuffleNetV2(**backbone).arch == SMALL.arch
