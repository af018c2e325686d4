"""Opening an untrusted file where it can do no harm.

A header can make a decoder abort the process (a tile height of 2^30 does so to libopenslide), run forever or
ask for all memory. A child process therefore opens the file first, with limits on time and memory, and is
watched from here; whatever happens to it is reported as an error (promise 7).
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import psutil

from mitoscope.errors import SlideFormatError, UndecodableError
from mitoscope.slide.image_reader import MAX_IMAGE_PX
from mitoscope.slide.openslide_reader import CONVERT
from mitoscope.slide.probe_child import CPU_SECONDS, MEMORY_BYTES

_LOG = logging.getLogger(__name__)
TIME_LIMIT_S = 60.0
"""On the clock, for slow disks and busy machines; the child computes for seconds at most (`probe_child`)."""
_WATCH_S = 0.25
_GRACE_S = 2.0
"""Of the processor: where the system has such a limit, it comes first."""
_OWN_BYTES = 128 << 20
"""What Python and the libraries need themselves."""
_CHILD = Path(__file__).with_name("probe_child.py")
_UNSUPPORTED = "Unsupported TIFF compression"  # as OpenSlide words it
_REFUSED = ("cannot be opened", "has no tile that can be decoded")  # as the child words it
_MEND = "the file is damaged, incomplete or hostile: get a fresh copy"


def probe_slide(path: Path, *, time_limit_s: float = TIME_LIMIT_S) -> None:
    """Open a slide in a child process and read a few tiles of it.

    Parameters
    ----------
    path : Path
        The slide.
    time_limit_s : float
        The child is ended after this time.

    Raises
    ------
    SlideFormatError
        If the child fails, crashes, or exceeds its time or its memory (1 GiB).
    """
    # -P: the child's own folder is not searched for modules.
    command = [sys.executable, "-P", str(_CHILD), str(path.absolute()), str(MAX_IMAGE_PX)]
    ends_at = time.monotonic() + time_limit_s
    with subprocess.Popen(  # noqa: S603 (our own script; the path is one argument)
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            answer = _watch(child, ends_at)
        except TimeoutError:
            raise SlideFormatError(
                f"did not open within {time_limit_s:g} s",
                where=path,
                mend="copy it to a local disk if the disk is slow; otherwise " + _MEND,
            ) from None
        except MemoryError:
            wrong: str | None = f"needs more than {MEMORY_BYTES >> 30} GiB of memory to open"
        else:
            wrong = _verdict(child.returncode, answer)
        finally:
            child.kill()
    if wrong is not None:
        kind = UndecodableError if wrong.startswith(_REFUSED) else SlideFormatError
        raise kind(wrong, where=path, mend=CONVERT if _UNSUPPORTED in wrong else _MEND)


def _watch(child: subprocess.Popen[bytes], ends_at: float) -> bytes:
    """Return what the child says at its end; not every system can limit it, so it is looked at as well.

    Raises
    ------
    TimeoutError
        At the end of its time, on the clock or on the processor.
    MemoryError
        If it takes too much.
    """
    while True:
        try:
            return child.communicate(timeout=_WATCH_S)[0]
        except subprocess.TimeoutExpired:
            if time.monotonic() > ends_at:
                raise TimeoutError from None
        try:
            process = psutil.Process(child.pid)
            used = process.cpu_times()
            resident = process.memory_info().rss
        except psutil.Error:
            continue  # it has just ended
        if resident > MEMORY_BYTES + _OWN_BYTES:
            raise MemoryError
        if used.user + used.system > CPU_SECONDS + _GRACE_S:
            raise TimeoutError


def _verdict(status: int, answer: bytes) -> str | None:
    """Return what is wrong with the slide, or None; say what the child could not limit."""
    if status < 0:
        return f"crashes the reader ({_signal_name(-status)})"
    try:
        said = json.loads(answer.splitlines()[-1])
        wrong: str | None = said["wrong"]
        _warn(tuple(said.get("unlimited", ())))
    except (IndexError, ValueError, KeyError, TypeError, AttributeError):
        return f"ends the reader (exit status {status})"
    return wrong


@cache
def _warn(unlimited: tuple[str, ...]) -> None:
    """Say on the standard error, once a process, on what the protection against hostile files rests."""
    if unlimited:
        _LOG.warning(
            "warning: this system sets no limit to %s of the process that tries a slide: it is watched "
            "instead; open slides of unknown origin with care",
            ", ".join(unlimited),
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
