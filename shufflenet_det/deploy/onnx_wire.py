"""What a stranger's .onnx file would make a runtime do, from its bytes alone; no onnx package.

Numbers are those of onnx.proto3; wire types those of Protocol Buffers.
"""

from __future__ import annotations

from collections.abc import Iterator

MODEL_GRAPH, MODEL_FUNCTIONS = 7, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
GRAPH_INPUT, GRAPH_OUTPUT, VALUE_NAME = 11, 12, 1
NODE_OP_TYPE, NODE_ATTRIBUTE = 4, 5
ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS, ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
TENSOR_NAME, TENSOR_EXTERNAL = 8, 13

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


def strange_parts(content: bytes) -> Iterator[str]:
    """What no graph of ours has, one phrase each.

    Without graphs inside of operators (Loop, If, Scan, ...) a graph ends; without weights
    elsewhere nothing but the file is read.

    Raises:
        ValueError: If it is no ONNX model, or cut.
    """
    graphs = 0
    for number, value in _fields(memoryview(content)):
        if number == MODEL_FUNCTIONS:
            yield 'functions'
        elif number == MODEL_GRAPH:
            graphs += 1
            yield from _of_graph(value)
    if graphs != 1:
        raise ValueError(f'{graphs} graphs in it')


def value_names(content: bytes, kind: int) -> list[str]:
    """Names of a model's inputs (kind GRAPH_INPUT) or outputs (GRAPH_OUTPUT), in order."""
    graph = next(value for number, value in _fields(memoryview(content)) if number == MODEL_GRAPH)
    return [
        bytes(name).decode(errors='replace')
        for number, value in _fields(graph) if number == kind
        for inner, name in _fields(value) if inner == VALUE_NAME
    ]  # fmt: skip


def _of_graph(graph: memoryview) -> Iterator[str]:
    for number, value in _fields(graph):
        if number == GRAPH_NODE:
            yield from _of_node(value)
        elif number == GRAPH_INITIALIZER:
            yield from _of_tensor(value)
        elif number == GRAPH_SPARSE:
            yield 'sparse weights'


def _of_node(node: memoryview) -> Iterator[str]:
    parts = list(_fields(node))
    name = next((bytes(value).decode(errors='replace') for number, value in parts
                 if number == NODE_OP_TYPE), '?')  # fmt: skip
    for number, attribute in parts:
        for inner, value in _fields(attribute) if number == NODE_ATTRIBUTE else ():
            if inner in ATTRIBUTE_GRAPHS:
                yield f'an operator {name} with a graph of its own'
            elif inner in ATTRIBUTE_SPARSE:
                yield 'sparse weights'
            elif inner in ATTRIBUTE_TENSORS:
                yield from _of_tensor(value)


def _of_tensor(tensor: memoryview) -> Iterator[str]:
    parts = list(_fields(tensor))
    if any(number == TENSOR_EXTERNAL for number, _ in parts):
        name = next((bytes(v).decode(errors='replace') for n, v in parts if n == TENSOR_NAME), '?')
        yield f'weights in another file ({name})'


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field; numbers are given as empty content.

    Raises:
        ValueError: If the message is cut or of another format.
    """
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        start = position
        if wire_type == LENGTH:
            length, start = _varint(message, position)
            position = start + length
        elif wire_type == VARINT:
            start = position = _varint(message, position)[1]
        elif wire_type in (EIGHT_BYTES, FOUR_BYTES):
            start = position = position + (8 if wire_type == EIGHT_BYTES else 4)
        else:
            raise ValueError(f'a field of wire type {wire_type}')
        if position > end or not number:
            raise ValueError('a field that goes beyond the end')
        yield number, message[start:position]


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of up to ten bytes, and where it ends."""
    value = 0
    for i, byte in enumerate(message[position : position + 10]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, position + i + 1
    raise ValueError('a number that does not end')
