"""Standard output that costs no work: of any encoding, on a full disk, with a reader that goes away."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Lasting(io.RawIOBase):
    """A stream that takes everything; what it could not pass on is remembered and told at the end."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.failure: OSError | None = None

    def write(self, content: ReadableBuffer, /) -> int | None:
        """Pass bytes on, or drop them once that has failed."""
        if self.failure is None:
            try:
                return self._raw.write(content)
            except OSError as error:
                self.failure = error
        return memoryview(content).nbytes

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the number of the stream."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._raw.isatty()


class Console:
    """What the command line prints to, in place of `sys.stdout` and `sys.stderr` until the process ends.

    Characters that the encoding of a stream lacks are replaced. A run goes on where its output cannot be
    written: its files are worth more.
    """

    def __init__(self) -> None:
        self._out = _install("stdout")
        _install("stderr")

    def close(self) -> OSError | None:
        """Write what is left; return why something could not be written, or None.

        That the reader went away (``mitoscope ... | head``) is no failure.
        """
        if self._out is None:
            return None
        sys.stdout.flush()
        failure = self._out.failure
        return None if isinstance(failure, BrokenPipeError) else failure


def _install(name: str) -> _Lasting | None:
    stream: TextIO | None = getattr(sys, name)
    if type(stream) is not io.TextIOWrapper:
        return None  # a notebook's, a test's, or none at all
    # Where PYTHONUNBUFFERED is set there is nothing between the text and the system.
    raw = stream.buffer.raw if isinstance(stream.buffer, io.BufferedWriter) else stream.buffer
    if not isinstance(raw, io.RawIOBase):
        return None
    stream.flush()
    lasting = _Lasting(raw)
    text = io.TextIOWrapper(
        io.BufferedWriter(lasting),
        encoding=stream.encoding,
        errors="backslashreplace" if name == "stderr" else "replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, text)
    return lasting
