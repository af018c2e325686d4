"""Numbers out of a Python pickle, without letting it run: an own machine for the few instructions of data.

A pickle is a program. Python's reader, restricted or not, still builds what the program asks for; this one
knows containers, numbers, text and arrays of numbers (NumPy's, and tensors of torch), and refuses all else.
"""

from __future__ import annotations

import bz2
import io
import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.fsio import open_regular

BZ2: Final = b"BZh"
_BLOCK: Final = b"1AY&SY"
"""With what a block of bzip2 begins, after four bytes."""
BYTES_MOST: Final = 256 << 20
"""Of a pickle, unpacked: the largest published one has some 20 MB."""
STEPS_MOST: Final = 30_000_000
"""Instructions: about thirty for a box."""
_STORAGE_BYTES_MOST: Final = 1 << 16
"""Of a tensor: it holds one score, or those of a batch."""
_PROTOCOL: Final = b"\x80"
_PROTOCOLS: Final = range(2, 6)
_KINDS: Final = "fiub"
_BYTES_OF_KIND: Final = (1, 2, 4, 8)
_ORDERS: Final = ("<", ">", "=", "|")

_NAMES: Final = {
    **{
        f"numpy.{part}core.{home}": known
        for part in ("", "_")
        for home, known in (
            ("multiarray._reconstruct", "array"),
            ("multiarray.scalar", "scalar"),
            ("numeric._frombuffer", "from bytes"),
        )
    },
    "numpy.ndarray": "array class",
    "numpy.dtype": "kind of number",
    "collections.OrderedDict": "mapping",
    "torch._utils._rebuild_tensor_v2": "tensor",
    "torch.storage._load_from_bytes": "storage",
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
}
"""What a pickle may name, and what it means here; nothing is looked up anywhere else."""


@dataclass(frozen=True, slots=True)
class _Name:
    means: str


@dataclass(slots=True)
class _Kind:
    code: str
    order: str = "<"

    def dtype(self) -> np.dtype[Any]:
        code, order = self.code, self.order
        if code[:1] not in _KINDS or code[1:] not in map(str, _BYTES_OF_KIND) or order not in _ORDERS:
            raise ValueError(f"arrays of {code[:20]!r}")
        return np.dtype(order + code)


@dataclass(slots=True)
class _Array:
    values: NDArray[Any] | None = None


Numbers = NDArray[Any]


def is_pickle(head: bytes) -> bool:
    """Whether a file that begins so may be a pickle, or one packed by bzip2."""
    if head.startswith(BZ2):
        return head[4:10] == _BLOCK
    return len(head) > 1 and head[:1] == _PROTOCOL and head[1] in _PROTOCOLS


def read_pickle(path: Path) -> Any:
    """Return the value that a pickle states, of dict, list, tuple, text, numbers and arrays of numbers.

    Raises
    ------
    FormatError
        If it is damaged, too large, or holds anything else, such as a call of a function.
    """
    try:
        with open_regular(path) as stream:
            packed = stream.read(len(BZ2)) == BZ2
            stream.seek(0)
            opened = bz2.BZ2File(stream) if packed else stream
            content = opened.read(BYTES_MOST + 1)
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or "damaged or cut short"
        raise FormatError(f"cannot be read ({why})", where=path) from None
    if len(content) > BYTES_MOST:
        what = f"a pickle of more than {BYTES_MOST >> 20} MB unpacked"
        raise FormatError(what, where=path, mend="write it as CSV image,x,y,score")
    if not is_pickle(content[:2]):
        raise FormatError("not a pickle", where=path, mend="get the file again")
    try:
        return _Machine(io.BytesIO(content)).run()
    except _RefusedError as error:
        raise FormatError(
            f"a pickle that holds {error}: only numbers in lists and arrays are read, all else may run code",
            where=path,
            mend="write it as CSV image,x,y,score",
        ) from None
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError) as error:
        raise FormatError(f"a damaged pickle ({str(error)[:80]})", where=path, mend="get it again") from None


class _RefusedError(Exception):
    """What a pickle asks for and does not get."""


class _Machine:
    """A stack, a memo, and the instructions that make data."""

    def __init__(self, stream: io.BytesIO, steps: Iterator[int] | None = None) -> None:
        self.stream = stream
        self.steps = steps or iter(range(STEPS_MOST))
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the value on top when the pickle stops."""
        for instruction, value, _ in pickletools.genops(self.stream):
            if next(self.steps, None) is None:
                raise _RefusedError("too many instructions")
            name = instruction.name
            if name == "STOP":
                return self.stack.pop()
            if name in _STATED:
                self.stack.append(value)
            elif name in _MADE:
                self.stack.append(_MADE[name]())
            elif name in _WITH_VALUE:
                _WITH_VALUE[name](self, value)
            elif name in _WITHOUT_VALUE:
                _WITHOUT_VALUE[name](self)
            elif name not in _PASSED:
                raise _RefusedError(f"the instruction {name}")
        raise ValueError("no end")

    def marked(self) -> list[Any]:
        place = self.marks.pop()
        taken = self.stack[place:]
        del self.stack[place:]
        return taken

    def take(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise ValueError("nothing to take")
        taken = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return taken

    def name(self, module: str, name: str) -> None:
        key = f"{_of(module, str)}.{_of(name, str)}"
        if key not in _NAMES:
            raise _RefusedError(key[:60])
        self.stack.append(_Name(_NAMES[key]))

    def remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def extend(self, values: list[Any]) -> None:
        _of(self.stack[-1], list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        held = _of(self.stack[-1], dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            held[_of(key, str)] = value

    def reduce(self) -> None:
        made, values = self.take(2)
        self.stack.append(self.make(_of(made, _Name).means, _of(values, tuple)))

    def make(self, what: str, values: tuple[Any, ...]) -> Any:
        """Return what a named thing makes of its arguments."""
        if what == "array":
            return _Array()
        if what == "kind of number":
            return _Kind(_of(values[0], str))
        if what == "scalar":
            return float(_numbers(values[1], _of(values[0], _Kind).dtype(), (1,))[0])
        if what == "from bytes":
            return _Array(_numbers(values[0], _of(values[1], _Kind).dtype(), values[2]))
        if what == "mapping":
            return {}
        if what == "storage":
            return self.storage(bytes(_of(values[0], bytes)))
        if what == "tensor":
            stored, first, shape, strides = values[:4]
            if len(_of(shape, tuple)) > 1:
                raise _RefusedError("a tensor of several dimensions")
            count, step = (shape[0], strides[0]) if shape else (1, 1)
            places = first + step * np.arange(min(_of(count, int), len(stored)))
            return _Array(_of(stored, np.ndarray)[places])
        raise _RefusedError(what)

    def build(self) -> None:
        """Give what was made its state."""
        (state,) = self.take(1)
        made = self.stack[-1]
        if isinstance(made, _Kind):
            made.order = _of(state[1], str)
        elif isinstance(made, _Array):
            _, shape, kind, by_column, data = _of(state, tuple)
            if by_column and len(shape) > 1:
                raise _RefusedError("an array by column")
            made.values = _numbers(data, _of(kind, _Kind).dtype(), shape)
        else:
            raise _RefusedError("an object with a state")

    def storage(self, content: bytes) -> Numbers:
        """Return the numbers of a tensor: five pickles one after another, then count and numbers."""
        if len(content) > _STORAGE_BYTES_MOST:
            raise _RefusedError("a large tensor")
        inner = io.BytesIO(content)
        parts = [_Machine(inner, self.steps).run() for _ in range(5)]
        stored = _of(parts[3], tuple)
        kind = np.dtype(_of(stored[1], _Name).means)
        count = int.from_bytes(inner.read(8), "little")
        return _numbers(inner.read(), kind, (count,))

    def persistent(self) -> None:
        """Leave what describes a tensor's storage as it is."""
        if not isinstance(self.stack[-1], tuple) or self.stack[-1][:1] != ("storage",):
            raise _RefusedError("a reference to something outside of it")


def _of(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__.strip('_').lower()} in the wrong place")
    return value


def _numbers(data: Any, kind: np.dtype[Any], shape: Any) -> Numbers:
    sides = [_of(side, int) for side in _of(shape, tuple)]
    held = np.frombuffer(_of(data, bytes | bytearray), kind)
    return held.reshape(sides)


def finished(value: Any) -> Any:
    """Return an array of the pickle as numbers, anything else as it is.

    Raises
    ------
    ValueError
        If it is an array that got no content.
    """
    if isinstance(value, _Array):
        if value.values is None:
            raise ValueError("an array without content")
        return value.values
    return value


_STATED: Final = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"),
        *("BINBYTES", "SHORT_BINBYTES", "BYTEARRAY8"),
    }
)
"""Instructions that put what they state on the stack."""
_MADE: Final[dict[str, Callable[[], Any]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_PASSED: Final = frozenset({"PROTO", "FRAME"})
_WITH_VALUE: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "BINPUT": lambda machine, place: machine.remember(place),
    "LONG_BINPUT": lambda machine, place: machine.remember(place),
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "GLOBAL": lambda machine, names: machine.name(*names.split(" ", 1)),
}
_WITHOUT_VALUE: Final[dict[str, Callable[[_Machine], None]]] = {
    "MARK": lambda machine: machine.marks.append(len(machine.stack)),
    "MEMOIZE": lambda machine: machine.remember(len(machine.memo)),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.marked())),
    "TUPLE1": lambda machine: machine.stack.append(machine.take(1)),
    "TUPLE2": lambda machine: machine.stack.append(machine.take(2)),
    "TUPLE3": lambda machine: machine.stack.append(machine.take(3)),
    "APPEND": lambda machine: machine.extend(list(machine.take(1))),
    "APPENDS": lambda machine: machine.extend(machine.marked()),
    "SETITEM": lambda machine: machine.set_items(list(machine.take(2))),
    "SETITEMS": lambda machine: machine.set_items(machine.marked()),
    "STACK_GLOBAL": lambda machine: machine.name(*machine.take(2)),
    "REDUCE": lambda machine: machine.reduce(),
    "BUILD": lambda machine: machine.build(),
    "BINPERSID": lambda machine: machine.persistent(),
}
