"""How the time of a graph in ONNX Runtime is shared by the parts of a detector."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx

from shufflenet_det.deploy.onnx_runtime import InferenceSession, SessionOptions

STARTS = {
    'backbone': ('backbone.', '/backbone/'),
    'neck': ('neck.', '/neck/'),
    'RPN': ('proposals.head.',),
    'thin map': ('roi_scores.thin_map.',),
    'RoI head': ('roi_scores.bbox_head.',),
    'head': ('candidates.head.', 'bbox_head.', '/bbox_head/'),
}
"""Part with weights -> how their names, or its nodes', begin; in the order of running."""

BEFORE = {'thin map': 'proposals', 'RoI head': 'RoI head'}
"""Part -> what nodes in front of its first weights belong to, where that is not the part before."""

FIRST, LAST = 'pre-processing', 'post-processing'

END = '_kernel_time'
"""Of the events that hold a node's own time."""

BLOCKED = '_nchwc'
"""What follows the value after which a conv on blocks of channels is called."""


def part_names(proto: onnx.ModelProto) -> list[str]:
    """The part of each node in their order, by names of nodes and weights, else by its place."""
    own = [_own_part(node) for node in proto.graph.node]
    first = {part: own.index(part) for part in STARTS if part in own}
    found, part = [], FIRST
    for index, known in enumerate(own):
        part = known or (LAST if not any(own[index:]) else part)
        found.append(part)
    for part, before in BEFORE.items():
        index = first.get(part, 0) - 1
        while index >= 0 and own[index] is None:
            found[index], index = before, index - 1
    return found


def _own_part(node: onnx.NodeProto) -> str | None:
    if node.op_type == 'Identity':  # the tracer's, of equal weights
        return None
    names = (node.name, *node.input)
    parts = (part for part, starts in STARTS.items() if any(n.startswith(starts) for n in names))
    return next(parts, None)


def shares(proto: onnx.ModelProto, image: np.ndarray, runs: int = 20) -> dict[str, float]:
    """Share of each part in the time of all nodes, with one thread.

    Args:
        proto: A graph that reads ``images``.
        image: (1, 3, H, W) uint8.
        runs: Calls, of which the first half warms up.
    """
    named, part_of = onnx.ModelProto(), {}
    named.CopyFrom(proto)
    for index, (node, part) in enumerate(zip(named.graph.node, part_names(proto), strict=True)):
        node.name = f'node{index}'
        part_of |= dict.fromkeys((node.name, *node.output), part)
    with tempfile.TemporaryDirectory() as folder:
        options = SessionOptions()
        options.intra_op_num_threads, options.enable_profiling = 1, True
        options.profile_file_prefix = str(Path(folder, 'profile'))
        session = InferenceSession(named.SerializeToString(), options, ['CPUExecutionProvider'])
        for _ in range(runs):
            session.run(None, dict(images=image))
        events = json.loads(Path(session.end_profiling()).read_text(encoding='utf-8'))
    return shares_of_events(events, part_of)


def shares_of_events(events: list[dict], part_of: dict[str, str]) -> dict[str, float]:
    """Shares by part.

    The runtime calls what it fuses after its nodes (``fused node7``) or values
    (``conv2d_3_nchwc``); what it puts in itself goes with the node that ran before.
    """
    nodes = [e for e in events if e.get('cat') == 'Node' and e['name'].endswith(END)]
    spent, part = defaultdict(float), FIRST
    for event in sorted(nodes[len(nodes) // 2 :], key=lambda event: event['ts']):
        name = event['name'].removesuffix(END)
        known = (part_of[n] for n in (name.removesuffix(BLOCKED), *name.split()) if n in part_of)
        part = next(known, part)
        spent[part] += event['dur']
    total = sum(spent.values())
    return {part: us / total for part, us in spent.items()}
