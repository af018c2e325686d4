"""Joining a Ray cluster, or starting one on this machine; what is wrong is found within a bounded time."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from mitoscope.cluster.executor import Request
from mitoscope.cluster.library import check_ray
from mitoscope.cluster.nodes import check_nodes
from mitoscope.errors import ClusterError

_LOG = logging.getLogger(__name__)
LOCAL: Final = "local"
"""In place of an address: the cores of this machine."""
AUTO: Final = "auto"
"""In place of an address: the one that Ray has set for the job that this process belongs to."""
ADDRESS: Final = "RAY_ADDRESS"
ANSWER_S: Final = 5.0
"""Seconds within which an address answers; one on the same network does so in milliseconds."""
RESOURCES_S: Final = 60.0
"""Seconds within which a cluster that has none of what is asked for gets it, by its autoscaler."""
_TOKENS: Final = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE")
"""By which a user says how the processes of a cluster know each other."""
_TOKEN: Final = secrets.token_hex(32)
_BASE_MAX: Final = 20
"""Characters of a folder in which Ray can have its sockets: a system takes 107, and its own names have 87."""
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a gRPC client begins: Ray's own takes two minutes to find that nobody answers, and ends the process."""
_FRAME_BYTES: Final = 9
_SETTINGS: Final = bytes([4, 0, 0, 0, 0, 0])
"""Kind, flags and stream of the frame with which a server of HTTP/2 begins (RFC 9113, 3.4): others do not."""
_ASK_S: Final = 25.0
"""Seconds within which Ray's own client has an answer; of a cluster in two, with the start of Python."""
_QUESTION: Final = """
import sys
try:
    from ray._raylet import GcsClient
except ImportError:
    sys.exit()  # a Ray of another build: it finds out by itself
GcsClient(address=sys.argv[1]).get_all_node_info(timeout=10)
"""
_STORE_BYTES: Final = 256 << 20
"""Of objects that a machine shares between its processes: models and what is known of some slides."""


@contextmanager
def joined(
    cluster: str, request: Request | None, *, threads: int | None = None, resources_s: float = RESOURCES_S
) -> Iterator[None]:
    """Keep this process joined to a cluster while the block runs.

    A program that has joined one by itself stays in it; `cluster` then counts for nothing.

    Parameters
    ----------
    cluster : str
        ``local``, ``host:port``, or ``auto`` in a job of Ray.
    request : Request or None
        What the cluster has to have; None takes it as it is.
    threads : int, optional
        Cores of a local one; by default all that this process may use.
    resources_s : float
        Seconds within which there has to be something to compute with.

    Raises
    ------
    ClusterError
        As `open_executor`.
    """
    ray = check_ray()
    if ray.is_initialized():
        _check(ray, request, cluster, resources_s)
        yield
        return
    folder = None
    try:
        if cluster == LOCAL:
            # Its logs and sockets go with it.
            base = tempfile.gettempdir()
            folder = tempfile.mkdtemp(prefix="mitoscope-ray-", dir=base if len(base) <= _BASE_MAX else "/tmp")  # noqa: S108
            with _own_token():
                _init(
                    ray,
                    LOCAL,
                    num_cpus=threads or _cores(),
                    object_store_memory=_STORE_BYTES,
                    include_dashboard=False,
                    _temp_dir=folder,
                )
        else:
            address = os.environ.get(ADDRESS, AUTO) if cluster == AUTO else cluster
            _knock(address)
            _ask(address)
            _init(ray, address)
        _check(ray, request, cluster, resources_s)
        yield
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own_token() -> Iterator[None]:
    """Give the servers of a local cluster the secret of this process, which Ray else leaves in ``~/.ray``."""
    if any(name in os.environ for name in _TOKENS):
        yield
        return
    os.environ[_TOKENS[0]] = _TOKEN
    try:
        yield
    finally:
        for name in _TOKENS:  # Ray sets the mode
            os.environ.pop(name, None)


def _init(ray: Any, cluster: str, **options: Any) -> None:
    try:
        ray.init(address=cluster, log_to_driver=False, logging_level="ERROR", **options)
    except (
        Exception,
        SystemExit,
    ) as error:  # Ray raises all kinds, and leaves where its server does not answer
        line = " ".join(str(error).split())[:200]
        raise ClusterError(
            f"cannot be joined ({type(error).__name__}: {line})",
            where=f"--cluster {cluster}",
            mend="start the command on a node of the cluster; every node needs the same Python and Ray",
        ) from None


def _hush() -> None:
    """Keep what Ray's servers say off the standard output, where results stand; it has no setting."""
    worker: Any = import_module("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _log


def _log(data: dict[str, Any], ignore_prefix: bool = True) -> None:  # noqa: ARG001 (as Ray calls it)
    _LOG.info("%s", "\n".join(data.get("lines", ())))


def _check(ray: Any, request: Request | None, cluster: str, resources_s: float) -> None:
    _hush()
    if request is None:
        return
    _await_resources(ray, request, cluster, resources_s)
    check_nodes(request)


def _await_resources(ray: Any, request: Request, cluster: str, resources_s: float) -> None:
    """Wait for a node that can hold the request; asking for one is what an autoscaler goes by."""
    if _has(ray, request):
        return
    wanted = {"CPU": request.cpus, "GPU": request.gpus}
    demand = ray.util.placement_group([{name: value for name, value in wanted.items() if value}])
    end = time.monotonic() + resources_s
    while time.monotonic() < end and not demand.wait(timeout_seconds=min(5.0, resources_s)):
        pass
    ray.util.remove_placement_group(demand)
    if _has(ray, request):
        return
    total = ray.cluster_resources()
    raise ClusterError(
        f"no node has {request.cpus:g} CPUs"
        + (f" and {request.gpus:g} GPUs" if request.gpus else "")
        + f"; the cluster has {total.get('CPU', 0):g} CPUs and {total.get('GPU', 0):g} GPUs in total",
        where=f"--cluster {cluster}",
        mend="start nodes that have them (ray start --num-cpus=…), or see mitoscope doctor --cluster",
    )


def _has(ray: Any, request: Request) -> bool:
    """Return whether some node could hold one run, be it busy now or not."""
    return any(
        node["Alive"]
        and node["Resources"].get("CPU", 0) >= request.cpus
        and node["Resources"].get("GPU", 0) >= request.gpus
        for node in ray.nodes()
    )


def _knock(address: str) -> None:
    """See whether something that may be a Ray cluster answers at an address.

    Raises
    ------
    ClusterError
        If not, or if it is no address.
    """
    where = f"--cluster {address}"
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in address:
        raise ClusterError(
            "is not the address of a Ray cluster",
            where=where,
            mend="local, or host:port as `ray start` prints it, or auto within a job of Ray (RAY_ADDRESS)",
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S) as line:
            if os.environ.get("RAY_USE_TLS", "0") in {"", "0"}:
                line.sendall(_PREFACE)
                answered = _frame(line)[3:9] == _SETTINGS
            else:
                answered = True
    except (OSError, OverflowError):
        answered = False
    if not answered:
        raise ClusterError(
            f"no Ray cluster answers within {ANSWER_S:g} s",
            where=where,
            mend="see that it runs (ray status on its head node) and that this machine reaches it",
        )


def _ask(address: str) -> None:
    """Ask for the nodes of a cluster in a process of its own.

    Another server of gRPC is known by its answer. Ray's own start tries for minutes, and ends the process.

    Raises
    ------
    ClusterError
        If it is no Ray cluster, or one that lets nobody in without a token.
    """
    try:
        asked = subprocess.run(  # noqa: S603 (our own script; the address is one argument)
            [sys.executable, "-c", _QUESTION, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        reason = f"none within {_ASK_S:g} s"
    else:
        if asked.returncode == 0:
            return
        said = asked.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1][:200] if said else f"exit status {asked.returncode}"
    raise ClusterError(
        f"does not answer as a Ray cluster does ({reason})",
        where=f"--cluster {address}",
        mend="see that it runs (ray status on its head node); every node needs the same Ray, and "
        "RAY_AUTH_MODE=token where it has a token",
    )


def _frame(line: socket.socket) -> bytes:
    """Return the head of the first frame that comes; less where the other side ends before."""
    head = b""
    while len(head) < _FRAME_BYTES and (more := line.recv(_FRAME_BYTES - len(head))):
        head += more
    return head


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
