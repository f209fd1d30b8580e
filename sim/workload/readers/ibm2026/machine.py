"""Pickles read without being run.

A pickle is a program: Python's own machine imports whatever it names and calls it with whatever it says, so a file from
somebody else can do anything. This machine has the same stack and memo, but no import and no call in it. Only the
opcodes that a table of numbers, text and lists needs are there; what a pickle names must be in a list of known names
and stays a word (`inert.Name`); and what it would have called becomes a record (`inert.Made`) that others may read.
Anything else is an error that says what it was and at which byte.

What is held is counted, and too much is an error, so that a small file cannot grow without bound.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from sim.workload.readers.ibm2026.inert import Items, Made, Name, Run
from sim.workload.readers.ibm2026.tape import FLOAT, Tape

PROTOCOLS: Final = (2, 3, 4, 5)

_PROTO: Final = 0x80
_STOP: Final = ord(".")
_LONGEST_INTEGER: Final = 16
_LONGEST_SHARED: Final = 256
# What objects take on a usual 64-bit Python, in bytes, roughly.
_REFERENCE, _NUMBER, _TEXT, _RECORD, _CONTAINER = 8, 24, 64, 128, 320

Apply = Callable[[str, tuple[Any, ...]], Any]
"""What stands for a call of a known name: a plain value or a `Made`; a `ValueError` where it makes no sense."""
Number = Callable[[Tape], int]


class Machine:
    """Reads one pickle."""

    def __init__(self, tape: Tape, names: Mapping[tuple[str, str], str], apply: Apply) -> None:
        """Prepare.

        Args:
            tape: the pickle.
            names: the kinds of the known names, by module and name.
            apply: what to make of a call of a known name.
        """
        self.tape, self._names, self._apply = tape, names, apply
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: list[Any] = []
        self._texts: dict[bytes, str] = {}

    def read(self) -> Any:
        """The value that the pickle describes.

        Raises:
            TraceError: it ends too early or too late, is no pickle of `PROTOCOLS`, has an opcode or a name that is not
                read here, makes no sense, or takes too much memory.
        """
        tape = self.tape
        if tape.byte() != _PROTO or tape.byte() not in PROTOCOLS:
            raise tape.error(f"is not a Python pickle of a protocol from {PROTOCOLS[0]} to {PROTOCOLS[-1]}")
        while (opcode := tape.opcode()) != _STOP:
            operation = _OPERATIONS.get(opcode)
            if operation is None:
                raise tape.error(f"has the opcode {_opcode_name(opcode)}, which is not read here")
            operation(self)
        tape.require(0)
        value = self.pop()
        if self.stack or self._below:
            raise tape.error("ends with values left over")
        if not tape.at_end():
            raise tape.error("goes on after its end")
        return value

    def push(self, value: Any, size: int = 0) -> None:
        """Put a value that takes `size` bytes. The reference to it is counted here, wherever it goes afterwards."""
        self.stack.append(value)
        self.tape.held += _REFERENCE + size

    def pop(self) -> Any:
        """Take a value."""
        if not self.stack:
            raise self.tape.error("takes a value where there is none")
        top = self.stack.pop()
        if type(top) is Run:
            self.stack += top.values.tolist()
            return self.stack.pop()
        return top

    def mark(self) -> None:
        """Mark the place."""
        self._below.append(self.stack)
        self.stack = []
        self.tape.held += _RECORD

    def above_mark(self) -> list[Any]:
        """Take all values above the last mark; some may be runs of numbers."""
        if not self._below:
            raise self.tape.error("goes back to a mark that is not there")
        above, self.stack = self.stack, self._below.pop()
        return above

    def values_above_mark(self) -> list[Any]:
        """The same, each value by itself."""
        above = self.above_mark()
        if any(type(item) is Run for item in above):
            return [value for item in above for value in (item.values.tolist() if type(item) is Run else (item,))]
        return above

    def _top(self, kind: type) -> Any:
        top = self.stack[-1] if self.stack else None
        if type(top) is not kind:
            raise self.tape.error(f"acts on a {type(top).__name__} as if it were a {kind.__name__}")
        return top

    def floats(self) -> None:
        """A float, or at once those that follow it."""
        values = self.tape.floats()
        if values is None:
            self.push(self.tape.number(">d"), _NUMBER)
        else:
            self.push(Run(values), values.nbytes)

    def long(self) -> None:
        """An integer of some bytes."""
        size = self.tape.byte()
        if size > _LONGEST_INTEGER:
            raise self.tape.error(f"has an integer of {size} bytes")
        self.push(int.from_bytes(self.tape.take(size), "little", signed=True), _NUMBER)

    def binary(self, size: Number) -> None:
        """Bytes, or an array of bytes."""
        data = self.tape.take(size(self.tape))
        self.push(data, _TEXT + len(data))

    def text(self, size: Number) -> None:
        """Text; the same short one is held once, since the lists repeat theirs."""
        encoded = self.tape.take(size(self.tape))
        text = self._texts.get(encoded)
        if text is None:
            try:
                text = encoded.decode()
            except UnicodeDecodeError:
                raise self.tape.error("has text that is not UTF-8") from None
            self.tape.held += 2 * (_TEXT + len(encoded))
            if len(encoded) <= _LONGEST_SHARED:
                self._texts[encoded] = text
        self.push(text)

    def tuple_of(self, values: list[Any]) -> None:
        """A tuple."""
        self.push(tuple(values), _TEXT)

    def extend(self, batch: list[Any]) -> None:
        """Append to the list below."""
        self.tape.held -= _NUMBER * self._top(Items).extend(batch)

    def set_items(self, pairs: list[Any]) -> None:
        """Put keys and values into the dictionary below; keys are text, so that nothing strange is ever compared."""
        dictionary = self._top(dict)
        keys, values = pairs[::2], pairs[1::2]
        if len(keys) != len(values) or not all(type(key) is str for key in keys):
            raise self.tape.error("has a dictionary whose keys are not text")
        dictionary.update(zip(keys, values, strict=True))
        self.tape.held += _RECORD * len(keys)

    def memoize(self) -> None:
        """Remember the last value."""
        last = self.pop()
        self.push(last)
        self._memo.append(last)

    def put(self, index: Number) -> None:
        """Remember the last value, under the next number."""
        if index(self.tape) != len(self._memo):
            raise self.tape.error("remembers a value under a number that is not the next")
        self.memoize()

    def get(self, index: Number) -> None:
        """Recall a value."""
        number = index(self.tape)
        if number >= len(self._memo):
            raise self.tape.error(f"recalls value {number}, of {len(self._memo)} that are remembered")
        self.push(self._memo[number])

    def name(self, module: Any, name: Any) -> None:
        """Name something."""
        if type(module) is not str or type(name) is not str:
            raise self.tape.error("names something by what is not text")
        kind = self._names.get((module, name))
        if kind is None:
            shown = f"{module} {name}"
            raise self.tape.error(f"names {shown[:80]!r}, which no such table needs: it was not run")
        self.push(Name(kind), _RECORD)

    def call(self) -> None:
        """What would be a call."""
        arguments, called = self.pop(), self.pop()
        if type(called) is not Name or type(arguments) is not tuple:
            raise self.tape.error("calls what is not a name")
        try:
            self.push(self._apply(called.kind, arguments), _RECORD)
        except ValueError as error:
            raise self.tape.error(str(error)) from None

    def build(self) -> None:
        """Give the record below its state."""
        state = self.pop()
        made = self._top(Made)
        if made.state is not None:
            raise self.tape.error(f"sets the state of a {made.kind} twice")
        made.state = state


def _pops(machine: Machine, size: int) -> list[Any]:
    return [machine.pop() for _ in range(size)][::-1]


def _named_on_stack(machine: Machine) -> None:
    machine.name(*_pops(machine, 2))


def _named_in_text(machine: Machine) -> None:
    machine.name(machine.tape.line(), machine.tape.line())


def _opcode_name(opcode: int) -> str:
    names = [known.name for known in pickletools.opcodes if known.code == chr(opcode)]
    return names[0] if names else f"0x{opcode:02x}"


def _u32(tape: Tape) -> int:
    return int(tape.number("<I"))


def _u64(tape: Tape) -> int:
    return int(tape.number("<Q"))


_BY_CODE: Final[dict[bytes, Callable[[Machine], object]]] = {
    b"\x95": lambda m: m.tape.take(8),  # FRAME: a hint to read ahead, no more
    b"(": Machine.mark,
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    bytes([FLOAT]): Machine.floats,
    b"K": lambda m: m.push(m.tape.byte(), _NUMBER),
    b"M": lambda m: m.push(m.tape.number("<H"), _NUMBER),
    b"J": lambda m: m.push(m.tape.number("<i"), _NUMBER),
    b"\x8a": Machine.long,
    b"\x8c": partial(Machine.text, size=Tape.byte),
    b"X": partial(Machine.text, size=_u32),
    b"\x8d": partial(Machine.text, size=_u64),
    b"C": partial(Machine.binary, size=Tape.byte),
    b"B": partial(Machine.binary, size=_u32),
    b"\x8e": partial(Machine.binary, size=_u64),
    b"\x96": partial(Machine.binary, size=_u64),
    b")": lambda m: m.tuple_of([]),
    b"t": lambda m: m.tuple_of(m.values_above_mark()),
    b"\x85": lambda m: m.tuple_of(_pops(m, 1)),
    b"\x86": lambda m: m.tuple_of(_pops(m, 2)),
    b"\x87": lambda m: m.tuple_of(_pops(m, 3)),
    b"]": lambda m: m.push(Items(), _CONTAINER),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.above_mark()),
    b"}": lambda m: m.push({}, _CONTAINER),
    b"s": lambda m: m.set_items(_pops(m, 2)),
    b"u": lambda m: m.set_items(m.values_above_mark()),
    b"\x94": Machine.memoize,
    b"q": partial(Machine.put, index=Tape.byte),
    b"r": partial(Machine.put, index=_u32),
    b"h": partial(Machine.get, index=Tape.byte),
    b"j": partial(Machine.get, index=_u32),
    b"c": _named_in_text,
    b"\x93": _named_on_stack,
    b"R": Machine.call,
    b"\x81": Machine.call,  # NEWOBJ: an object of a class
    b"b": Machine.build,
}
_OPERATIONS: Final = {code[0]: operation for code, operation in _BY_CODE.items()}
"""The opcodes that are read; all others are refused."""
