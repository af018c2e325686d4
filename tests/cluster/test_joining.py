"""What can be wrong with a cluster is found within a bounded time and named."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mitoscope.cluster import Here, NodeReport, Request, check_ray, joined, nodes, open_executor, versions_of
from mitoscope.cluster.joining import _TOKENS, ADDRESS, _await_resources, _own_token
from mitoscope.cluster.nodes import check_nodes
from mitoscope.errors import ClusterError


def _report(**changes: Any) -> NodeReport:
    versions = versions_of(Request().packages)
    stated: dict[str, Any] = {"resources": {"CPU": 1.0}, "versions": versions, "disk_bytes": 1 << 40}
    return NodeReport("n1", "10.0.0.7", **(stated | changes))


def test_without_a_cluster_runs_are_computed_here_in_order() -> None:
    with open_executor(None, Request()) as executor:
        assert isinstance(executor, Here)
        assert list(executor.run(lambda number: number * 2, [1, 2])) == [(1, 2), (2, 4)]


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitoscope.cluster.library.find_spec", lambda name: None)
    with pytest.raises(ClusterError, match=r"Ray is not installed; .*cluster"):
        check_ray()


@pytest.mark.parametrize("address", ["nonsense", "ray://10.0.0.1:10001", "host:port", ":6379", "auto"])
def test_what_is_no_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.delenv(ADDRESS, raising=False)
    with pytest.raises(ClusterError, match=f"{address}: is not the address"), joined(address, Request()):
        pass


def test_a_local_cluster_has_a_secret_of_its_own_unless_the_user_has_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in _TOKENS:
        monkeypatch.delenv(name, raising=False)
    with _own_token():
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert "RAY_AUTH_TOKEN" not in os.environ
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/keys/token")
    with _own_token():
        assert "RAY_AUTH_TOKEN" not in os.environ


def test_a_server_that_is_no_cluster_is_refused() -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.recv(64)
                line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ClusterError, match="no Ray cluster answers"), joined(address, Request()):
            pass
        thread.join()


@pytest.mark.parametrize(
    ("question", "named"),
    [
        (
            "raise RuntimeError('RPC error: Method not found!')",
            r"does \(RuntimeError: RPC error: Method not found!\)",
        ),
        ("while True: pass", r"does \(none within 0\.2 s\)"),
        (
            "raise RuntimeError('InvalidAuthToken')",
            r"InvalidAuthToken\); .* RAY_AUTH_MODE=token where it has a token",
        ),
    ],
)
def test_another_server_of_grpc_is_refused_by_its_answer(
    monkeypatch: pytest.MonkeyPatch, question: str, named: str
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr("mitoscope.cluster.joining._knock", lambda address: None)
    monkeypatch.setattr("mitoscope.cluster.joining._QUESTION", question)
    if "while" in question:
        monkeypatch.setattr("mitoscope.cluster.joining._ASK_S", 0.2)
    with pytest.raises(ClusterError, match=named), joined("127.0.0.1:1", Request()):
        pass


def test_an_address_that_is_closed_or_silent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr("mitoscope.cluster.joining.ANSWER_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClusterError, match="no Ray cluster answers"), joined(address, Request()):
            pass
    with pytest.raises(ClusterError, match="no Ray cluster answers"), joined(address, Request()):
        pass


class _NoCpus:
    """A cluster whose nodes have no cores, and get none."""

    def __init__(self, resources: Mapping[str, float]) -> None:
        self.resources, self.removed = resources, 0
        group = SimpleNamespace(wait=lambda timeout_seconds: False)
        self.util = SimpleNamespace(
            placement_group=lambda bundles: group, remove_placement_group=self._remove
        )

    def _remove(self, group: object) -> None:
        self.removed += 1

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": self.resources}]

    def cluster_resources(self) -> Mapping[str, float]:
        return self.resources


@pytest.mark.parametrize(
    ("resources", "request_", "named"),
    [
        ({"memory": 1e9}, Request(), "no node has 1 CPUs; the cluster has 0 CPUs"),
        ({"CPU": 2.0}, Request(cpus=4), "no node has 4 CPUs; the cluster has 2 CPUs"),
        ({"CPU": 2.0}, Request(gpus=0.25), "0.25 GPUs; the cluster has 2 CPUs and 0 GPUs"),
    ],
)
def test_a_cluster_without_what_is_asked_for_is_refused(
    resources: Mapping[str, float], request_: Request, named: str
) -> None:
    ray = _NoCpus(resources)
    with pytest.raises(ClusterError, match=named):
        _await_resources(ray, request_, "host:6379", 0.01)
    assert ray.removed == 1, "the demand is taken back"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"versions": {**versions_of(Request().packages), "onnxruntime": "0.1"}},
            "has onnxruntime 0.1",
        ),
        ({"versions": {}}, "mitoscope not installed in place of"),
        ({"unseen": ("/data/out",)}, "does not see /data/out"),
        ({"disk_bytes": 12_000_000}, "12 MB of free disk"),
        ({"problem": "mitoscope is not installed"}, "mitoscope is not installed"),
    ],
)
def test_a_node_that_does_not_fit_is_named(
    changes: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(nodes, "report_nodes", lambda *rest, **options: (_report(), _report(**changes)))
    with pytest.raises(ClusterError, match=rf"node n1.*10\.0\.0\.7.*{named}"):
        check_nodes(Request(folders=(tmp_path,)))
    assert not list(tmp_path.iterdir()), "the mark is taken away"
    monkeypatch.setattr(nodes, "report_nodes", lambda *rest, **options: (_report(), _report()))
    check_nodes(Request(folders=(tmp_path,)))


def test_a_folder_of_the_same_name_that_is_another_one_is_not_seen(tmp_path: Path) -> None:
    mark = tmp_path / ".mitoscope-mark"
    assert not nodes._shared(mark)
    mark.touch()
    assert nodes._shared(mark)
    assert [path.name for path in tmp_path.iterdir()] == [mark.name]
