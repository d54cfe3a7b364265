"""Greedy NMS in two CUDA kernels, written in Triton, whose results the host need not see.

The first packs which boxes overlap into words of 64 bits. The second walks through the blocks of 64
boxes in falling order of score: a block loses the boxes that an earlier kept one suppresses, and
settles the rest by repeating until nothing changes, all on the device. It stops where enough are
kept or no candidate is left. The arithmetic is that of torchvision's CPU kernel, operation by
operation.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

WORD = 64


@triton.jit
def _either(a, b):
    return a | b


@triton.jit
def _overlaps(sides, counts, words, n, blocks, threshold, WORD: tl.constexpr):
    """Bit j of word (block, i): whether box i outranks and overlaps box j of the block."""
    group, row, block = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.program_id(2)
    count = tl.load(counts + group)
    if (row <= block) & (block * WORD < count):
        i, j = row * WORD + tl.arange(0, WORD), block * WORD + tl.arange(0, WORD)
        start = sides + group * 4 * n
        left = tl.load(start + i, mask=i < n, other=0.0)[:, None]
        top = tl.load(start + n + i, mask=i < n, other=0.0)[:, None]
        right = tl.load(start + 2 * n + i, mask=i < n, other=0.0)[:, None]
        bottom = tl.load(start + 3 * n + i, mask=i < n, other=0.0)[:, None]
        left_j = tl.load(start + j, mask=j < n, other=0.0)[None, :]
        top_j = tl.load(start + n + j, mask=j < n, other=0.0)[None, :]
        right_j = tl.load(start + 2 * n + j, mask=j < n, other=0.0)[None, :]
        bottom_j = tl.load(start + 3 * n + j, mask=j < n, other=0.0)[None, :]
        width = tl.maximum(tl.minimum(right, right_j) - tl.maximum(left, left_j), 0.0)
        height = tl.maximum(tl.minimum(bottom, bottom_j) - tl.maximum(top, top_j), 0.0)
        shared = width * height
        area = (right - left) * (bottom - top)
        area_j = (right_j - left_j) * (bottom_j - top_j)
        over = tl.div_rn(shared, area + area_j - shared) > threshold
        over = over & (i[:, None] < j[None, :])
        bit = tl.full((WORD,), 1, tl.int64) << tl.arange(0, WORD).to(tl.int64)
        word = tl.sum(tl.where(over, bit[None, :], 0), axis=1)
        tl.store(words + (group * blocks + block) * blocks * WORD + i, word)


@triton.jit
def _greedy(
    words, counts, places, kept, n, blocks, max_num, WORD: tl.constexpr, MOST: tl.constexpr
):
    """Marks in `kept` the boxes that no kept box suppresses; `places` lists them."""
    group = tl.program_id(0).to(tl.int64)
    count = tl.load(counts + group)
    lane, slot = tl.arange(0, WORD), tl.arange(0, MOST)
    bit = tl.full((WORD,), 1, tl.int64) << lane.to(tl.int64)
    taken, block = tl.full((), 0, tl.int32), tl.full((), 0, tl.int32)
    while (block * WORD < count) & (taken < max_num):
        column = words + (group * blocks + block) * blocks * WORD
        earlier = tl.load(places + group * MOST + slot, mask=slot < taken, other=0)
        gone = tl.load(column + earlier, mask=slot < taken, other=0)
        gone = tl.reduce(gone, 0, _either)
        i = block * WORD + lane
        inner = tl.load(column + i)
        left = tl.sum(tl.where((i < count) & ((gone & bit) == 0), bit, 0), axis=0)
        found, before = left, ~left
        while found != before:
            before = found
            hit = tl.reduce(tl.where((before & bit) != 0, inner, 0), 0, _either)
            found = left & ~hit
        new = tl.where((found & bit) != 0, 1, 0)
        rank = taken + tl.cumsum(new, 0) - new
        chosen = (new != 0) & (rank < max_num)
        tl.store(kept + group * n + i, 1, mask=chosen)
        tl.store(places + group * MOST + rank, i, mask=chosen)
        tl.debug_barrier()
        taken += tl.sum(new, axis=0)
        block += 1


def greedy_on_cuda(boxes: Tensor, counts: Tensor, threshold: float, max_num: int) -> Tensor:
    """Mask (G, n) of the first `max_num` boxes of each group that greedy NMS keeps.

    Shapes: boxes (G, n, 4) float32 in falling order of score, of which the first counts (G,) int32
    are candidates.
    """
    groups, n = boxes.shape[:2]
    blocks, most = triton.cdiv(n, WORD), triton.next_power_of_2(max_num)
    sides = boxes.transpose(1, 2).contiguous()
    words = boxes.new_empty((groups, blocks, blocks * WORD), dtype=torch.int64)
    places = boxes.new_empty((groups, most), dtype=torch.int32)
    kept = boxes.new_zeros((groups, n), dtype=torch.uint8)
    _overlaps[groups, blocks, blocks](
        sides, counts, words, n, blocks, threshold, WORD=WORD, enable_fp_fusion=False
    )
    _greedy[(groups,)](
        words, counts, places, kept, n, blocks, max_num, WORD=WORD, MOST=most, num_warps=1
    )
    return kept.bool()
