"""A pickle read as plain values: what it names is looked up in one table, nothing else is called.

The opcodes are those of Python's module `pickletools`; what `torch.save` never writes is refused.
"""

from __future__ import annotations

import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable
from numbers import Integral, Number
from typing import Any, BinaryIO, Protocol

LONGEST_KEY = 4096  # letters, as long as a path may be
LARGEST_KEY = 2**60  # hashes of larger integers repeat
LARGEST_PART = 2**32  # of a tuple that is a key


class RefusedError(ValueError):
    """The file is sound but holds what is not read; the message goes behind its path."""


class Names(Protocol):
    """What the names in a pickle mean; every method may raise :class:`RefusedError`."""

    def find(self, name: str) -> object:
        """What is put in place of a dotted name."""

    def call(self, function: object, arguments: tuple) -> object:
        """The value of a call of what :meth:`find` gave."""

    def new(self, kind: object, arguments: tuple) -> object:
        """An object of a class that :meth:`find` gave, before it has its state."""

    def build(self, instance: object, state: object) -> None:
        """Give an object its state."""


class Machine:
    """Stack and memo of one pickle.

    Args:
        names: Meaning of its names.
        storage: Function of torch's persistent ids, which stand for the tensors' bytes.
    """

    def __init__(self, names: Names, storage: Callable[[object], object]) -> None:
        self.names, self.storage = names, storage
        self.stack: list[Any] = []
        self.marks: list[list] = []
        self.memo: dict[int, object] = {}

    def load(self, file: BinaryIO) -> object:
        """Read up to the end of the pickle that starts here.

        Raises:
            RefusedError: If it holds what is not allowed.
            ValueError, TypeError, LookupError: If it is damaged.
        """
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name not in OPCODES:
                raise RefusedError(f'holds the pickle instruction {opcode.name}: refused')
            OPCODES[opcode.name](self, argument)
        (value,) = self.stack
        return value

    def take(self, count: int) -> list:
        """Remove the last values from the stack."""
        if count > len(self.stack):
            raise ValueError('the pickle takes more values than it has')
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def take_marked(self) -> list:
        """Remove the values behind the last mark."""
        values, self.stack = self.stack, self.marks.pop()
        return values

    def mark(self) -> None:
        """Begin a new stack; what is on this one waits."""
        self.marks.append(self.stack)
        self.stack = []

    def top(self, *kinds: type) -> Any:
        """The last value, which must be exactly of one of these types."""
        if type(self.stack[-1]) not in kinds:
            raise RefusedError(f'fills a {type(self.stack[-1]).__name__} like a container: refused')
        return self.stack[-1]

    def append(self, values: list) -> None:
        """Extend the list on top."""
        self.top(list).extend(values)

    def add(self, values: list) -> None:
        """Extend the set on top."""
        self.top(set).update(map(plain_key, values))

    def set_items(self, values: list) -> None:
        """Fill the dict on top with keys and values in turn."""
        target = self.top(dict, OrderedDict, Counter)
        for key, value in _pairs(values):
            target[key] = value

    def build(self) -> None:
        """Give the value below the last one its state."""
        (state,) = self.take(1)
        self.names.build(self.stack[-1], state)


def _pairs(values: list) -> list[tuple]:
    return [(plain_key(key), value) for key, value in zip(values[::2], values[1::2], strict=True)]


def plain_key(value: object) -> object:
    """A key, or a member of a set.

    Raises:
        RefusedError: If it is long, or of tuples in tuples, whose hash may take for ever, or of
            numbers that give many keys one hash, which makes a dict as slow as a list.
    """
    nested = (tuple, frozenset)
    alone = not isinstance(value, tuple)
    for part in (value,) if alone else value:
        if isinstance(part, nested) or (isinstance(part, (str, bytes)) and len(part) > LONGEST_KEY):
            raise RefusedError('holds a key of nested tuples or a very long one: refused')
        whole = isinstance(part, Integral) and abs(part) < (LARGEST_KEY if alone else LARGEST_PART)
        if isinstance(part, Number) and not whole and not (alone and isinstance(part, float)):
            raise RefusedError(f'holds the number {part!r:.50} as a key: refused')
    return value


def _name(dotted: str) -> str:
    module, _, name = dotted.partition(' ')  # as pickletools writes it
    return f'{"builtins" if module == "__builtin__" else module}.{name}'


def _text(value: str) -> str:
    """A string of Python 2, whose bytes pickletools reads as Latin-1."""
    return value.encode('latin-1').decode()


def _pushing(make: Callable[[Machine, Any], object]) -> Callable[[Machine, Any], None]:
    def push(machine: Machine, argument: Any) -> None:
        value = make(machine, argument)  # first: it may exchange the stack
        machine.stack.append(value)

    return push


PUSH = {
    **dict.fromkeys(
        (
            'INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT', 'BINFLOAT',
            'UNICODE', 'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8', 'BINBYTES',
            'SHORT_BINBYTES', 'BINBYTES8', 'BYTEARRAY8',
        ),
        lambda machine, argument: argument,
    ),
    **dict.fromkeys(
        ('STRING', 'BINSTRING', 'SHORT_BINSTRING'), lambda machine, argument: _text(argument)
    ),
    **dict.fromkeys(('GET', 'BINGET', 'LONG_BINGET'), lambda machine, key: machine.memo[key]),
    'REDUCE': lambda machine, _: machine.names.call(*machine.take(2)),
    'NEWOBJ': lambda machine, _: machine.names.new(*machine.take(2)),
    'NONE': lambda machine, _: None,
    'NEWTRUE': lambda machine, _: True,
    'NEWFALSE': lambda machine, _: False,
    'EMPTY_LIST': lambda machine, _: [],
    'EMPTY_DICT': lambda machine, _: {},
    'EMPTY_TUPLE': lambda machine, _: (),
    'EMPTY_SET': lambda machine, _: set(),
    'LIST': lambda machine, _: machine.take_marked(),
    'DICT': lambda machine, _: dict(_pairs(machine.take_marked())),
    'TUPLE': lambda machine, _: tuple(machine.take_marked()),
    'TUPLE1': lambda machine, _: tuple(machine.take(1)),
    'TUPLE2': lambda machine, _: tuple(machine.take(2)),
    'TUPLE3': lambda machine, _: tuple(machine.take(3)),
    'FROZENSET': lambda machine, _: frozenset(map(plain_key, machine.take_marked())),
    'GLOBAL': lambda machine, dotted: machine.names.find(_name(dotted)),
    'STACK_GLOBAL': lambda machine, _: machine.names.find('.'.join(machine.take(2))),
    'BINPERSID': lambda machine, _: machine.storage(*machine.take(1)),
}  # fmt: skip
"""Instruction -> what it puts on the stack."""


OPCODES: dict[str, Callable[[Machine, Any], object]] = {
    **{name: _pushing(make) for name, make in PUSH.items()},
    **dict.fromkeys(('PROTO', 'FRAME', 'STOP'), lambda machine, _: None),
    **dict.fromkeys(
        ('PUT', 'BINPUT', 'LONG_BINPUT'),
        lambda machine, key: machine.memo.update({key: machine.stack[-1]}),
    ),
    'MEMOIZE': lambda machine, _: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    'MARK': lambda machine, _: machine.mark(),
    'APPEND': lambda machine, _: machine.append(machine.take(1)),
    'APPENDS': lambda machine, _: machine.append(machine.take_marked()),
    'ADDITEMS': lambda machine, _: machine.add(machine.take_marked()),
    'SETITEM': lambda machine, _: machine.set_items(machine.take(2)),
    'SETITEMS': lambda machine, _: machine.set_items(machine.take_marked()),
    'BUILD': lambda machine, _: machine.build(),
}
"""Every instruction that is followed."""
