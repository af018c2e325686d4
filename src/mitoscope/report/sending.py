"""Results that go to an object store: each slide's when it is finished, its manifest last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mitoscope.exchange import read_manifest
from mitoscope.infer import ListedSlide, SlideDone
from mitoscope.remote import Outbox
from mitoscope.report.outputs import output_names


def check_outbox(outbox: Outbox, slides: Sequence[ListedSlide], formats: Sequence[str]) -> None:
    """See before the first search that nothing of others lies where results are sent.

    Raises
    ------
    OutputError
        Naming the first such file.
    RemoteError, UnreachableError
        If the store cannot be looked at.
    """
    outbox.check(
        {
            (slide.below / slide.path.stem).as_posix(): [
                (slide.below / name).as_posix() for name in output_names(slide.path, formats)
            ]
            for slide in slides
        }
    )


def send_result(outbox: Outbox, done: SlideDone) -> SlideDone:
    """Send the result of a slide, if there is one, and return what became of it.

    Raises
    ------
    RemoteError, UnreachableError, OutputError
        If it cannot be sent; the result stays on this machine, and the same command sends it.
    """
    if done.manifest is not None:
        names: list[str] = sorted(read_manifest(done.manifest)["files"])
        files: list[Path] = [done.manifest.with_name(name) for name in names]
        outbox.send((done.slide.below / done.slide.path.stem).as_posix(), [*files, done.manifest])
    return done
