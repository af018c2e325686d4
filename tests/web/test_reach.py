"""Where a server is reached: behind a proxy, with TLS, by others; and by nobody else's page."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mitoscope.errors import ConfigError
from mitoscope.web.reach import Certificate, Reach, parse_address

from .making import key

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
NAME = "labels.example.org"
CONFIG = """
pid {folder}/nginx.pid;
error_log stderr warn;
daemon off;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name labels.example.org;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        client_max_body_size 16m;
        location / {{
            proxy_pass http://127.0.0.1:{behind};
            {headers}
        }}
    }}
}}
"""
PASSED_ON = "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
SET_ANEW = "proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
"""The Host is that of `proxy_pass`, as nginx sets it by itself."""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for the name and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, private = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={NAME}",
    ]
    command += [
        "-addext",
        f"subjectAltName=DNS:{NAME},IP:127.0.0.1",
        "-out",
        str(cert),
        "-keyout",
        str(private),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return cert, private


@contextmanager
def _serving(folder: Path, slides: Path, *options: str) -> Iterator[list[str]]:
    """Serve a study and return what was printed."""
    command = [
        sys.executable,
        "-m",
        "mitoscope",
        "serve",
        str(folder / "study.mito"),
        "--slides",
        str(slides),
    ]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line.strip())
            if line.startswith("Ctrl-C"):
                break
        else:
            raise AssertionError("\n".join(said))
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stdout.close()


@contextmanager
def _proxy(folder: Path, behind: int, headers: str, certificate: tuple[Path, Path]) -> Iterator[int]:
    """Run nginx with TLS before a server and return its port."""
    port = _free_port()
    cert, private = certificate
    text = CONFIG.format(folder=folder, port=port, behind=behind, headers=headers, cert=cert, key=private)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        while True:
            assert process.poll() is None, "nginx ended"
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _client(port: int, cert: Path) -> httpx.Client:
    """Return a browser that knows the name to be at a port of this machine."""
    context = ssl.create_default_context(cafile=str(cert))

    class _There(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            there = httpx.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1", port=port),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": NAME},
            )
            return super().handle_request(there)

    return httpx.Client(base_url=f"https://{NAME}", transport=_There(verify=context), timeout=60)


@pytest.mark.skipif(not os.access(NGINX, os.X_OK), reason="no nginx; apt-get install nginx-light")
@pytest.mark.parametrize("headers", [PASSED_ON, SET_ANEW], ids=["Host passed on", "Host of the proxy"])
def test_a_proxy_with_tls_stands_before_the_server(
    quick_path: Path, slides: Path, certificate: tuple[Path, Path], headers: str
) -> None:
    behind, options = _free_port(), ("--address", f"https://{NAME}")
    with (
        _serving(quick_path, slides, "--port", str(behind), *options) as said,
        _proxy(quick_path, behind, headers, certificate) as port,
        _client(port, certificate[0]) as browser,
    ):
        token = next(line for line in said if line.startswith("open ")).partition("token=")[2]
        assert f"from other machines https://{NAME}/?token={token}" in said
        entered = browser.get(f"/?token={token}")
        cookie = entered.headers["set-cookie"]
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=strict"))
        people = browser.get("/api/raters").json()
        assert people["address"] == f"https://{NAME}"
        body = {"name": "Dr. B", "kind": "expert", "role": "rater", "key": key()}
        added = browser.post("/api/raters", json=body, headers={"origin": f"https://{NAME}"})
        assert added.status_code == 200, added.text
        for origin in ("https://evil.example", f"https://{NAME}.evil.example", f"https://{NAME}:8443"):
            refused = browser.post("/api/raters", json={**body, "key": key()}, headers={"origin": origin})
            assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin")
        # Whoever comes past the proxy gains nothing by saying what a proxy says.
        forged = {"host": "evil.example", "x-forwarded-host": NAME, "x-forwarded-proto": "https"}
        direct = httpx.get(f"http://127.0.0.1:{behind}/api/me", headers=forged)
        assert (direct.status_code, direct.json()["code"]) == (403, "foreign_host")


def test_the_server_speaks_tls_itself(quick_path: Path, slides: Path, certificate: tuple[Path, Path]) -> None:
    cert, private = certificate
    with _serving(
        quick_path, slides, "--port", str(_free_port()), "--cert", str(cert), "--key", str(private)
    ) as said:
        link = next(line for line in said if line.startswith("open ")).removeprefix("open ")
        assert link.startswith("https://127.0.0.1:")
        with httpx.Client(verify=ssl.create_default_context(cafile=str(cert)), timeout=60) as browser:
            assert "Secure" in browser.get(link).headers["set-cookie"]
            base = link.partition("/?")[0]
            assert browser.get(f"{base}/api/me").json()["rater"]["role"] == "lead"
            body = {"name": "Dr. B", "kind": "expert", "role": "rater", "key": key()}
            answer = browser.post(f"{base}/api/raters", json=body, headers={"origin": base})
            assert answer.status_code == 200


def test_a_certificate_that_cannot_be_used_is_refused(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, private = certificate
    Certificate(cert, private).check()
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + private.read_bytes())
    Certificate(both).check()
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    locked, other = tmp_path / "locked.pem", tmp_path / "other.pem"
    make = ["openssl", "rsa", "-aes256", "-passout", "pass:x", "-in", str(private), "-out", str(locked)]
    subprocess.run(make, check=True, capture_output=True)
    subprocess.run(["openssl", "genrsa", "-out", str(other), "2048"], check=True, capture_output=True)
    for odd in (
        Certificate(tmp_path / "none.pem"),
        Certificate(cert, tmp_path / "none.pem"),
        Certificate(garbage, private),
        Certificate(cert),
        Certificate(cert, other),
        Certificate(cert, locked),
    ):
        with pytest.raises(ConfigError) as refused:
            odd.check()
        assert "--cert" in str(refused.value.mend)


def test_addresses_are_those_that_others_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitoscope.web.reach.own_hosts", lambda: ["10.0.0.4", "[fd00::4]"])

    def others(host: str, *names: str, address: str | None = None, is_secure: bool = False) -> list[str]:
        return list(Reach.of(host, 8411, names=names, address=address, is_secure=is_secure).others)

    assert others("127.0.0.1") == others("localhost") == others("::1") == []
    assert others("127.0.0.1", "labels") == [], "of a proxy nobody knows port and scheme"
    assert others("0.0.0.0") == ["http://10.0.0.4:8411", "http://[fd00::4]:8411"]
    assert others("::", "labels", is_secure=True)[0] == "https://labels:8411"
    assert others("192.168.1.4") == ["http://192.168.1.4:8411"]
    assert others("127.0.0.1", address="https://labels.example.org") == ["https://labels.example.org"]
    reach = Reach.of("0.0.0.0", 1, names=["labels"], address="https://x.example:8443/", is_secure=False)
    assert set(reach.hosts) == {"labels", "10.0.0.4", "[fd00::4]", "x.example"}


@pytest.mark.parametrize(
    "text",
    [
        "labels.example.org",
        "ftp://x",
        "https://",
        "https://x/labels",
        "https://u:p@x",
        "https://x?y",
        "https://x y",
    ],
)
def test_an_address_is_that_of_a_server(text: str) -> None:
    with pytest.raises(ConfigError, match="not the address"):
        parse_address(text)
    assert parse_address("HTTPS://Labels.example.org:443/") == "https://labels.example.org"
