"""A file from a web server: continued where it was cut, begun anew where it has changed."""

from __future__ import annotations

import re
from collections.abc import Callable

from mitoscope.errors import UnreachableError
from mitoscope.remote.location import as_shown
from mitoscope.remote.part_file import PartFile
from mitoscope.remote.web import Answer, CutError, Patience, ask

_BLOCK_BYTES = 1 << 18
Told = Callable[[str], None]
Counted = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where known, those of the whole file."""


def download(
    url: str,
    part: PartFile,
    *,
    name: str,
    patience: Patience,
    count: Counted,
    tell: Told,
    is_published: bool = False,
    headers: dict[str, str] | None = None,
) -> str | None:
    """Receive a file, behind what has come of it.

    Parameters
    ----------
    url : str
        Where it is.
    part : PartFile
        What has come of it; the caller finishes or discards it.
    name : str
        What it is called to the user.
    patience : Patience
        With a server that cannot.
    count : callable
        Called after every block.
    tell : callable
        Called with a line for the user.
    is_published : bool
        Whether the caller knows its size or checksum: else an end that may be a cut is not believed.
    headers : dict of str, optional
        Further ones of the request; ``Authorization`` is for this server alone, not for where it leads.

    Returns
    -------
    str or None
        Why the server does not give it; None where it came.

    Raises
    ------
    UnreachableError
        If the server cannot be reached; what has come is kept.
    OutputError
        If it cannot be written; what has come is kept.
    """
    failures, most = 0, 0
    while True:
        try:
            return _receive(
                url,
                part,
                patience.timeout_s,
                headers or {},
                name=name,
                count=count,
                tell=tell,
                sure=is_published,
            )
        except CutError as cut:
            failures = 1 if part.size > most else failures + 1
            most = max(most, part.size)
            if failures >= patience.tries:
                raise _unreachable(url, name, cut.why, part.size) from None
            if failures > 1:
                tell(f"{name}: {cut.why}; try {failures + 1} of {patience.tries}")
            patience.wait(failures, cut.after_s)


def _unreachable(url: str, name: str, why: str, size: int) -> UnreachableError:
    kept = f"; {size:,} bytes of {name} are kept" if size else ""
    return UnreachableError(
        f"cannot be fetched ({why}){kept}",
        where=as_shown(url),
        mend="check the connection, then repeat the same command to continue",
    )


def _receive(
    url: str,
    part: PartFile,
    timeout_s: float,
    headers: dict[str, str],
    *,
    name: str,
    count: Counted,
    tell: Told,
    sure: bool,
) -> str | None:
    """Receive what is still missing; return why the server does not give it, or None."""
    if part.can_go_on and part.size == part.total:
        return None
    before = part.size if part.can_go_on else 0
    ranged = {"Range": f"bytes={before}-", "If-Range": part.validator or ""} if before else {}
    with ask(url, headers | ranged, timeout_s=timeout_s) as answer:
        if before and answer.status == 416:
            part.discard()
            raise CutError("has fewer bytes than have come")
        refusal = _refusal(answer)
        if refusal is not None:
            return refusal
        if answer.status == 206:
            _check_range(answer, part)
        else:
            if before:
                tell(_begun_anew(name, part, answer))
            part.begin(answer.validator, answer.length)
        _pour(answer, part, count)
        if not (answer.ends_surely or sure):
            return f"nothing says whether it is whole; kept aside as {part.set_aside().name}"
    return None


def _refusal(answer: Answer) -> str | None:
    if answer.status not in (200, 206):
        return f"the server answers {answer.status} {answer.reason}".rstrip()
    if answer.headers.get_content_type() == "text/html":
        return "the server answers with a web page instead of the file"
    return None


def _check_range(answer: Answer, part: PartFile) -> None:
    """Begin anew when the part that came is not the one that was asked for."""
    stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if stated is None or int(stated[1]) != part.size or int(stated[2]) != (part.total or int(stated[2])):
        part.discard()
        raise CutError("answers with another part of the file than was asked for")
    part.total = int(stated[2])


def _begun_anew(name: str, part: PartFile, answer: Answer) -> str:
    same = answer.validator == part.validator
    why = "the server does not continue downloads" if same else "the file has changed on the server"
    return f"{name}: {why}; begun anew"


def _pour(answer: Answer, part: PartFile, count: Counted) -> None:
    count(part.size, part.total)
    while block := answer.read_block(_BLOCK_BYTES):
        part.add(block)
        count(part.size, part.total)
    if part.total is not None and part.size < part.total:
        raise CutError(f"the connection was cut after {part.size:,} of {part.total:,} bytes")
