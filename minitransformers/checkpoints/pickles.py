"""Interpret a pickle without importing or calling anything.

A pickle is a program. This interpreter builds the plain values in it (numbers, text, tuples, lists,
dictionaries) and leaves everything else as an inert record of what the pickle asks for: `Global`,
the name of a function or class, and `Call`, such a name with arguments. What a record means is for
the reader of a format to decide; nothing that a pickle names ever runs. The standard library's
pickletools decodes the opcodes.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from mmap import mmap
from pickletools import genops
from typing import IO, Any, cast

# An object takes at most some 100 bytes beyond its own bytes in the pickle, which bounds the memory
# a hostile one can take; a tensor takes about 32 opcodes, so 60,000 of them fit.
_MAX_OPCODES = 2_000_000
_ATOMS = (str, int, float, bool, bytes, type(None))
_DICTS = ("collections.OrderedDict", "collections.Counter")
_PYTHON2 = {"__builtin__": "builtins"}


@dataclass(eq=False, slots=True)
class Global:
    """A name that a pickle refers to, such as "torch._utils._rebuild_tensor_v2"."""

    name: str


@dataclass(eq=False, slots=True)
class Call:
    """A function or class that a pickle asks to call."""

    function: str
    arguments: tuple


def interpret(
    stream: IO[bytes] | mmap,
    allowed: Container[str] = (),
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Return what the pickle at the stream's position describes, and stop right after it.

    allowed: the names that it may refer to
    persistent: called with each persistent id (of torch: a storage), for what stands in its place
    Raises ValueError if it is malformed or names anything else.
    """
    machine = _Machine(allowed, persistent)
    try:
        for count, (opcode, argument, position) in enumerate(genops(cast(IO[bytes], stream))):
            if count == _MAX_OPCODES:
                raise ValueError(f"it has more than {_MAX_OPCODES} opcodes")
            step = _STEPS.get(opcode.name)
            if step is None:
                raise ValueError(f"the opcode {opcode.name} at {position} has no place in it")
            step(machine, argument)
        return machine.stack[-1]
    except (IndexError, KeyError, AttributeError) as error:
        raise ValueError(f"the pickle is malformed: {opcode.name} at {position} fails") from error


class _Machine:
    """The stack machine that a pickle is a program for."""

    def __init__(self, allowed: Container[str], persistent: Callable[[Any], Any] | None):
        self.allowed = allowed
        self.persistent = persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}
        self.globals: dict[str, Global] = {}

    def mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:  # it takes back a mark
            self.pop_mark()

    def tuple_of(self, size: int) -> None:
        items = tuple(self.stack[len(self.stack) - size :])
        if len(items) < size:
            raise IndexError
        self.stack[-size:] = [items]

    def remember(self, index: Any) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def name(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("the name of a global is not text")
        full = f"{_PYTHON2.get(module, module)}.{name}"
        if full not in self.allowed:
            raise ValueError(
                f"its pickle asks for {full}, which tensors do not need: refused, and not run. A "
                "checkpoint holds a state_dict, not a pickled model or objects of other libraries"
            )
        self.push(self.globals.setdefault(full, Global(full)))

    def call(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not (isinstance(function, Global) and isinstance(arguments, tuple)):
            raise ValueError("the pickle is malformed: it calls what is no function")
        if function.name in _DICTS:
            self.push({})
            for items in arguments[:1]:
                _fill(self.stack[-1], _pairs(items))
        else:
            self.push(Call(function.name, arguments))

    def persist(self, _: Any) -> None:
        if self.persistent is None:
            raise ValueError("the pickle is malformed: it has a persistent id")
        self.push(self.persistent(self.stack.pop()))

    def append(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("the pickle is malformed: it appends to what is no list")
        self.stack[-1].extend(items)

    def fill(self, parts: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise ValueError("the pickle is malformed: it sets items of what is no dictionary")
        if len(parts) % 2:
            raise ValueError("the pickle is malformed: a key has no value")
        _fill(self.stack[-1], zip(parts[::2], parts[1::2]))


def _fill(target: dict, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Set keys to values. A deeply nested key could not be hashed: keys are plain values."""
    for key, value in pairs:
        if not all(type(k) in _ATOMS for k in (key if type(key) is tuple else (key,))):
            raise ValueError(f"the pickle is malformed: a key is a {type(key).__name__}")
        target[key] = value


def _pairs(items: Any) -> Iterable[tuple[Any, Any]]:
    """What a Counter is made from, or under Python 2 an OrderedDict: [[key, value], ...]"""
    if isinstance(items, dict):
        return items.items()
    are_pairs = isinstance(items, list) and all(
        type(pair) in (list, tuple) and len(pair) == 2 for pair in items
    )
    if not are_pairs:
        raise ValueError("the pickle is malformed: a dictionary is made of what are no pairs")
    return items


_Step = Callable[[_Machine, Any], Any]
_STEPS: dict[str, _Step] = {
    "PROTO": lambda m, _: None,
    "FRAME": lambda m, _: None,
    "STOP": lambda m, _: None,
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": lambda m, _: m.pop_mark(),
    "DUP": lambda m, _: m.push(m.stack[-1]),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_SET": lambda m, _: m.push([]),  # no tensor hangs on a set: a list will do
    "EMPTY_DICT": lambda m, _: m.push({}),
    "TUPLE": lambda m, _: m.push(tuple(m.pop_mark())),
    "LIST": lambda m, _: m.push(m.pop_mark()),
    "FROZENSET": lambda m, _: m.push(m.pop_mark()),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "APPEND": lambda m, _: m.append([m.stack.pop()]),
    "APPENDS": lambda m, _: m.append(m.pop_mark()),
    "ADDITEMS": lambda m, _: m.append(m.pop_mark()),
    "SETITEM": lambda m, _: m.fill([m.stack.pop(-2), m.stack.pop()]),
    "SETITEMS": lambda m, _: m.fill(m.pop_mark()),
    "GLOBAL": lambda m, text: m.name(*text.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.name(m.stack.pop(-2), m.stack.pop()),
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": lambda m, _: m.stack.pop(),  # attributes: of a state_dict, its versions
    "BINPERSID": _Machine.persist,
    "MEMOIZE": _Machine.remember,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, index: m.push(m.memo[index])),
    # Python 2's text, which pickletools decodes as Latin-1
    **dict.fromkeys(
        ("STRING", "BINSTRING", "SHORT_BINSTRING"),
        lambda m, text: m.push(text.encode("latin-1").decode("utf-8")),
    ),
    **dict.fromkeys(
        (
            *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
            *("FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
            *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        ),
        _Machine.push,
    ),
}
