"""Stopping politely: Ctrl-C and SIGTERM end the step that runs, then the loop writes its checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Becomes true when the user asks to stop."""

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Note the wish; a second one takes effect at once."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


@contextmanager
def polite_stop() -> Iterator[Stop]:
    """Catch SIGINT and SIGTERM while the block runs; outside of the main thread nothing is caught."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
