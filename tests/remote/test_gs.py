"""Slides and results in Google Cloud Storage: its JSON API, as a server on this machine gives it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from gcsfs.core import GCSFileSystem

from mitoscope.errors import RemoteError
from mitoscope.remote import Location, Outbox, Staging, list_files

BUCKET = "slides"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        found = re.fullmatch(r"(?:/download)?/storage/v1/b/([^/]+)(?:/o(?:/(.+))?)?", parts.path)
        assert found is not None, self.path
        bucket, key = found[1], unquote(found[2] or "")
        if bucket != BUCKET:
            self._say(404, {"error": {"code": 404, "message": "no such bucket"}})
        elif key and key not in self.objects:
            self._say(404, {"error": {"code": 404, "message": "no such object"}})
        elif key and (query.get("alt") == ["media"] or parts.path.startswith("/download")):
            self._give(self.objects[key])
        elif key:
            self._say(200, self._about(key))
        else:
            prefix = query.get("prefix", [""])[0]
            items = [self._about(one) for one in sorted(self.objects) if one.startswith(prefix)]
            self._say(200, {"items": items} if parts.path.endswith("/o") else {"name": BUCKET})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        boundary = self.headers["Content-Type"].partition("boundary=")[2].strip("'\"").encode()
        about, content = (part.partition(b"\n\n")[2] for part in re.split(b"\r?\n?--" + boundary, body)[1:3])
        key = json.loads(about)["name"]
        self.objects[key] = content.removesuffix(b"\n")
        self._say(200, self._about(key))

    def _about(self, key: str) -> dict[str, str]:
        content = self.objects[key]
        version = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return {
            "name": key,
            "bucket": BUCKET,
            "size": str(len(content)),
            "etag": version,
            "kind": "storage#object",
        }

    def _give(self, content: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is not None:
            content = content[int(asked[1]) : int(asked[2]) + 1 if asked[2] else None]
        self.send_response(200 if asked is None else 206)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _say(self, status: int, values: Mapping[str, object]) -> None:
        body = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Return what the bucket holds."""
    handler = type("Handler", (_Handler,), {"objects": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr("fsspec.config.conf", {"gs": {"token": "anon"}})
        # Its newer class asks for the kind of a bucket by gRPC, which this server does not speak.
        monkeypatch.setattr("fsspec.get_filesystem_class", lambda protocol: GCSFileSystem)
        GCSFileSystem.clear_instance_cache()
        yield handler.objects  # type: ignore[attr-defined]
        GCSFileSystem.clear_instance_cache()
        server.shutdown()
        thread.join()


def test_slides_come_from_it_and_results_go_to_it(objects: dict[str, bytes], tmp_path: Path) -> None:
    objects["cohort/a.svs"], objects["cohort/b.svs"] = b"slide a" * 1000, b"slide b"
    staging = Staging(tmp_path, limit_bytes=1_000_000)
    names = [location.shown for location in list_files(Location.parse(f"gs://{BUCKET}/cohort/"))]
    assert names == [f"gs://{BUCKET}/cohort/a.svs", f"gs://{BUCKET}/cohort/b.svs"]
    for address in (names[0], names[0].replace("gs:", "gcs:")):  # one slide by two names
        with staging.hold(Location.parse(address)) as held:
            assert held.path.read_bytes() == objects["cohort/a.svs"]
    assert len(list((tmp_path / "slides").iterdir())) == 1
    objects["cohort/a.svs"] = b"another" * 1000
    with staging.hold(Location.parse(names[0])) as held:
        assert held.path.read_bytes() == b"another" * 1000
    with pytest.raises(RemoteError, match=f"gs://{BUCKET}/cohort/c.svs: no such object or bucket"):
        staging.hold(Location.parse(f"gs://{BUCKET}/cohort/c.svs"))
    box = Outbox(Location.parse(f"gs://{BUCKET}/results"), staging)
    box.folder.mkdir(parents=True)
    (box.folder / "a.json").write_text("manifest")
    box.send("a", [box.folder / "a.json"])
    assert objects["results/a.json"] == b"manifest"
