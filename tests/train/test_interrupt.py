from __future__ import annotations

import os
import signal
import threading

import pytest

from mitoscope.train.interrupt import polite_stop

pytestmark = pytest.mark.train


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_the_second_takes_effect(number: signal.Signals) -> None:
    with polite_stop() as stop:
        before = stop.wanted
        os.kill(os.getpid(), number)
        assert (before, stop.wanted) == (False, True)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_afterwards_signals_are_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with polite_stop():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_on_another_thread_nothing_is_caught() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with polite_stop() as stop:
            seen.append((stop.wanted, signal.getsignal(signal.SIGINT) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, True)]
