"""Opening an untrusted file where it can do no harm.

A header can make a decoder abort the process (a tile height of 2^30 does so to libopenslide), run forever or
ask for all memory. A child process therefore opens the file first, with limits on time and memory; whatever
happens to it is reported as an error (promise 7).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from mitoscope.errors import SlideFormatError
from mitoscope.slide.image_reader import CONVERT, MAX_IMAGE_PX

TIME_LIMIT_S = 60.0
"""On the clock, for slow disks and busy machines; the child computes for seconds at most (`probe_child`)."""
_CHILD = Path(__file__).with_name("probe_child.py")
_UNSUPPORTED = "Unsupported TIFF compression"  # as OpenSlide words it
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
    try:
        child = subprocess.run(  # noqa: S603 (our own script; the path is one argument)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=time_limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SlideFormatError(
            f"did not open within {time_limit_s:g} s",
            where=path,
            mend="copy it to a local disk if the disk is slow; otherwise " + _MEND,
        ) from None
    wrong = _verdict(child)
    if wrong is not None:
        raise SlideFormatError(wrong, where=path, mend=CONVERT if _UNSUPPORTED in wrong else _MEND)


def _verdict(child: subprocess.CompletedProcess[bytes]) -> str | None:
    """Return what is wrong with the slide, or None."""
    if child.returncode < 0:
        return f"crashes the reader ({_signal_name(-child.returncode)})"
    try:
        answer = json.loads(child.stdout.splitlines()[-1])
        wrong: str | None = answer["wrong"]
    except (IndexError, ValueError, KeyError, TypeError):
        return f"ends the reader (exit status {child.returncode})"
    return wrong


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
