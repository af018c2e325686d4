"""Running the server: one process on one store, until Ctrl-C."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress

import uvicorn

from mitoscope.errors import ConfigError, OutputError
from mitoscope.store import Store
from mitoscope.web.app import create_app
from mitoscope.web.gate import is_loopback
from mitoscope.web.shelf import SlideShelf

FIRST_PORT = 8411
_PORTS = 100
_GRACE_S = 3
"""How long open requests have to end after Ctrl-C."""


def serve(
    store: Store,
    shelf: SlideShelf,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    hosts: Iterable[str] = (),
    visitor_without_link: int | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a study until the process is asked to stop.

    Parameters
    ----------
    store : Store
        Open for writing.
    shelf : SlideShelf
        Its slides.
    host, port : str, int
        Where to listen; without a port at 8411 or the next that is free. A browser keeps what it could not
        send under the address, so a study should come back at the one it had.
    hosts : iterable of str
        Further names under which the server is addressed.
    visitor_without_link : int, optional
        The rater who everybody is, where no link is asked for; on this machine only.
    on_ready : callable, optional
        Called with the address once the server listens, e.g. ``http://127.0.0.1:8000``.

    Raises
    ------
    ConfigError
        If the server would listen beyond this machine without asking for a link.
    OutputError
        If the address cannot be listened on.
    """
    if visitor_without_link is not None and not is_loopback(host):
        what = "everybody in the network could write without a link"
        raise ConfigError(what, where=f"host {host}", mend="leave --no-link out, or --host")
    with listen_free(host) if port is None else listen(host, port) as listener:
        names = [*hosts, host] if host not in ("0.0.0.0", "::") else [*hosts]  # noqa: S104 compared, not bound
        app = create_app(store, shelf, hosts=names, visitor_without_link=visitor_without_link)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            lifespan="off",
        )
        server = uvicorn.Server(config)
        if on_ready is not None:
            on_ready(address_of(listener, host))
        # Once it has shut down in order, the server raises the signal that it was stopped by.
        with suppress(KeyboardInterrupt):
            asyncio.run(server.serve(sockets=[listener]))


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


def address_of(listener: socket.socket, host: str) -> str:
    """Return the address of a listening socket as a browser takes it."""
    port = listener.getsockname()[1]
    name = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 compared, not bound
    return f"http://[{name.strip('[]')}]:{port}" if ":" in name else f"http://{name}:{port}"
