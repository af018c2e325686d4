"""Opening a study for work and serving it, in one process, until Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from mitoscope.errors import ConfigError, FormatError, OutputError, StoreError
from mitoscope.image_names import IMAGE_SUFFIXES
from mitoscope.labels import DEFAULT_LABELS, LabelSet
from mitoscope.store import (
    Rater,
    Role,
    Round,
    RoundKind,
    Store,
    Terms,
    assign,
    grant,
    intern_raters,
    intern_rounds,
    read_assignments,
    read_setting,
    renew_token,
    write_setting,
    write_terms,
)
from mitoscope.web.app import create_app
from mitoscope.web.folders import remember, remembered
from mitoscope.web.gate import is_loopback
from mitoscope.web.intake import Intake
from mitoscope.web.looking import NO_SCALES, Scales
from mitoscope.web.reach import EVERYWHERE, Certificate, Reach, written
from mitoscope.web.slides import SlideCatalogue, find_slide_files
from mitoscope.web.state import AppState

FIRST_ROUND = Round("annotation", RoundKind.UNSTATED)
"""A new study begins with an open round in which the lead may label at once."""
SERVED_AT = "served at"
"""Setting of a study: the address on this machine of the server that has it, null before it listens."""
FIRST_PORT = 8411
_PORTS = 100
_GC_THRESHOLD = 100_000
_SWITCH_S = 0.001
"""After so long a thread that computes lets another one go on: figures of the study do not delay a label."""
_START_S, _LOOK_S = 20, 0.2
"""How long a server that has just claimed a study has to say where it listens, and how often that is read."""
_GRACE_S = 3
"""How long open requests have to end after Ctrl-C."""


@dataclass(frozen=True, eq=False)
class OpenedStudy:
    """A study that is ready to be served.

    Parameters
    ----------
    store : Store
        Open for writing.
    slides : SlideCatalogue
        Its slides.
    intake : Intake
        The files that are yet to be looked at, and those that were refused.
    lead_id : int
        The lead's rater.
    token : str
        Of the lead's link, new each time.
    """

    store: Store
    slides: SlideCatalogue
    intake: Intake
    lead_id: int
    token: str


def open_study(
    path: Path,
    *,
    folders: Sequence[Path] = (),
    add: bool = False,
    lead: str = "lead",
    only: Collection[str] | None = None,
    may_be_empty: bool = False,
    rounds: Sequence[Round] = (FIRST_ROUND,),
    scales: Scales = NO_SCALES,
    labels: LabelSet = DEFAULT_LABELS,
) -> OpenedStudy:
    """Open a study, or make one from a folder of slides.

    The first files are looked at here, further ones while others work (`OpenedStudy.intake`). One that cannot
    be read stops no other.

    Parameters
    ----------
    path : Path
        The store.
    folders : sequence of Path
        Where the slides are; by default where they were the last time.
    add : bool
        Whether slides of the folders that the study lacks are added to it.
    lead : str
        Who leads the study.
    only : collection of str, optional
        File names: of the folders' files only these are added.
    may_be_empty : bool
        Whether a new study may have no slide yet.
    rounds : sequence of Round
        In which the lead of a study without rounds of its own may work.
    scales : Scales
        Resolutions of slides that state none, or of single ones.
    labels : LabelSet
        Of a new study.

    Raises
    ------
    FormatError
        If a folder is not there, or a new study would have no slide.
    StoreError
        If there is no study and no folder to make one from.
    StoreBusyError
        If another process serves it.
    """
    for folder in folders:
        if not folder.is_dir():
            raise FormatError(
                "no such folder", where=folder, mend="give the folder of the slides with --slides"
            )
    is_new = not path.exists()
    if is_new and not folders:
        mend = f"make it from a folder of slides: mitoscope serve {path} --slides DIR"
        raise StoreError("no such study", where=path, mend=mend)
    files = find_slide_files(folders) if is_new else {}
    if is_new and only and not any(name in files for name in only):
        raise _no_slide(folders[0] / min(only))
    if is_new and not files and not may_be_empty:
        raise FormatError("no slides in this folder", where=folders[0], mend="give another with --slides")
    store = Store.create(path, labels=labels) if is_new else Store.open(path)
    try:
        store.claim()
        _write_address(store, None)
        files = files or find_slide_files(folders or remembered(store))
        catalogue = SlideCatalogue(store, files, scales=scales)
        wanted = files if only is None else {name: file for name, file in files.items() if name in only}
        intake = Intake(store, catalogue, _unknown(catalogue, wanted, scales, add=add or is_new))
        intake.take()
        if is_new and not may_be_empty:
            _refuse_nothing(intake, catalogue)
        remember(store, folders)
        lead_id, token = _let_in(store, lead, rounds)
    except BaseException:
        store.close()
        if is_new:
            path.unlink(missing_ok=True)
        raise
    return OpenedStudy(store, catalogue, intake, lead_id, token)


def _write_address(store: Store, address: str | None) -> None:
    with store.writing() as connection:
        write_setting(connection, SERVED_AT, address)


def link_to_running(path: Path, lead: str) -> str | None:
    """Return a new link of the lead to the server that has a study, or None where none says its address.

    Who may write the file of a study may come in; the browser that is in stays so.

    Parameters
    ----------
    path : Path
        The store, which another process serves.
    lead : str
        Who leads the study.
    """
    deadline = time.monotonic() + _START_S
    with Store.open(path) as store:
        while True:
            with store.reading() as connection:
                address = read_setting(connection, SERVED_AT, None)
            if address is not None:
                _, token = _let_in(store, lead, ())
                return f"{address}/?token={token}"
            if time.monotonic() > deadline:
                return None
            time.sleep(_LOOK_S)


def _no_slide(named: Path) -> FormatError:
    """Return why a file that was named is none of its folder's slides."""
    if named.is_symlink():
        return FormatError(
            "a link that leads out of its folder", where=named, mend=f"open {named.resolve()} itself"
        )
    return FormatError(
        "not a slide",
        where=named,
        mend=f"name a slide ({', '.join(sorted(IMAGE_SUFFIXES))}) or a folder of slides",
    )


def _refuse_nothing(intake: Intake, slides: SlideCatalogue) -> None:
    """Refuse a new study none of whose files is a slide, with what is wrong with the first."""
    if intake.is_done and not slides.records():
        raise next(iter(intake.refused.values()))


def _unknown(
    slides: SlideCatalogue, files: Mapping[str, Path], scales: Scales, *, add: bool
) -> dict[str, Path]:
    """Return the files that are yet to be looked at: of new slides, and of those that are not fully known."""
    known = slides.records_by_name()

    def is_wanted(name: str) -> bool:
        slide = known.get(name)
        if slide is None:
            return add
        return slide.size is None or slide.mpp is None or name in scales.by_name

    return {name: file for name, file in files.items() if is_wanted(name)}


def _let_in(store: Store, lead: str, rounds: Sequence[Round]) -> tuple[int, str]:
    """Return the lead's id and a new token; a study without rounds of its own gets the first."""
    with store.writing() as connection:
        (rater_id,) = intern_raters(connection, [Rater(lead)]).tolist()
        grant(connection, rater_id, Role.LEAD)
        if not read_assignments(connection):
            for round_, round_id in zip(rounds, intern_rounds(connection, rounds).tolist(), strict=True):
                write_terms(connection, round_id, Terms.of_kind(round_.kind))
                assign(connection, round_id, [rater_id])
        return rater_id, renew_token(connection, rater_id)


def serve(
    store: Store,
    slides: SlideCatalogue,
    *,
    intake: Intake | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    hosts: Iterable[str] = (),
    address: str | None = None,
    certificate: Certificate | None = None,
    visitor_without_link: int | None = None,
    opens_once: bool = False,
    on_ready: Callable[[str, Reach], None] | None = None,
) -> None:
    """Serve a study until the process is asked to stop.

    Parameters
    ----------
    store : Store
        Open for writing.
    slides : SlideCatalogue
        Its slides.
    intake : Intake, optional
        Files that are looked at meanwhile.
    host, port : str, int
        Where to listen; without a port at 8411 or the next that is free. A browser keeps what it could not
        send under the address, so a study should come back at the one it had.
    hosts : iterable of str
        Further names under which the server is addressed.
    address : str, optional
        At which others reach it, where that is not where it listens: that of a proxy before it.
    certificate : Certificate, optional
        With it the server speaks TLS.
    visitor_without_link : int, optional
        The rater who everybody is, where no link is asked for; on this machine only.
    opens_once : bool
        Whether a link opens one browser and is spent then.
    on_ready : callable, optional
        Called once the server listens, with its address on this machine, e.g. ``http://127.0.0.1:8000``, and
        where else it is reached.

    Raises
    ------
    ConfigError
        If the server would be reached by others without asking for a link, or address or certificate cannot
        be used.
    OutputError
        If the address cannot be listened on.
    """
    if visitor_without_link is not None and (address is not None or not is_loopback(host)):
        what = "anybody in the network could write without signing in"
        raise ConfigError(what, where=f"host {address or host}", mend="leave --no-link out, or --host")
    if certificate is not None:
        certificate.check()
    with listen_free(host) if port is None else listen(host, port) as listener:
        is_secure = certificate is not None
        reach = Reach.of(
            host, listener.getsockname()[1], names=tuple(hosts), address=address, is_secure=is_secure
        )
        app = create_app(
            store,
            slides,
            intake=intake,
            reach=reach,
            visitor_without_link=visitor_without_link,
            opens_once=opens_once,
        )
        state: AppState = app.state.mitoscope
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # a proxy is stated, not believed
            timeout_graceful_shutdown=_GRACE_S,
            lifespan="off",
            ssl_certfile=None if certificate is None else certificate.chain,
            ssl_keyfile=None if certificate is None else certificate.key,
        )
        server = uvicorn.Server(config)
        here = address_of(listener, host, is_secure=is_secure)
        _write_address(store, here)
        if on_ready is not None:
            on_ready(here, reach)
        # A slide of 100,000 cells is a million short-lived objects: looking each time for cycles among them
        # and among all that was imported takes a tenth of the answer.
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        sys.setswitchinterval(_SWITCH_S)
        # Once it has shut down in order, the server raises the signal that it was stopped by.
        state.intake.begin()
        try:
            with suppress(KeyboardInterrupt):
                asyncio.run(server.serve(sockets=[listener]))
        finally:
            state.intake.end()
            state.searches.close()
            state.board_job.stop()


def listen_free(host: str) -> socket.socket:
    """Return a socket that listens at the first free port from 8411 on.

    Raises
    ------
    OutputError
        If the address is not one of this machine, or a hundred ports are taken.
    """
    for port in range(FIRST_PORT, FIRST_PORT + _PORTS):
        try:
            return listen(host, port)
        except OutputError:
            continue
    return listen(host, FIRST_PORT + _PORTS)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    OutputError
        If the address is taken, or not one of this machine.
    """
    listener = None
    try:
        family = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol stated, asyncio sends small answers at once instead of after 40 ms (Nagle).
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(128)
    except OSError as error:
        if listener is not None:
            listener.close()
        reason = error.strerror or str(error)
        mend = "choose another --port or --host, or stop what listens there"
        raise OutputError(f"cannot be listened on ({reason})", where=f"{host}:{port}", mend=mend) from None
    return listener


def address_of(listener: socket.socket, host: str, *, is_secure: bool = False) -> str:
    """Return the address of a listening socket as a browser on this machine takes it."""
    name = "127.0.0.1" if host in EVERYWHERE else written(host)
    return f"{'https' if is_secure else 'http'}://{name}:{listener.getsockname()[1]}"
