"""Under which addresses a server is reached: on this machine, by others, through a proxy, with TLS."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mitoscope.errors import ConfigError

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 compared, not bound
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_ELSEWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))
"""Addresses for documentation (RFC 5737, RFC 3849): nothing is sent there, but the system names the way."""
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its chain and its private key, as files in PEM; without a key file both in one."""

    chain: Path
    key: Path | None = None

    def check(self) -> None:
        """Refuse what no server can use.

        Raises
        ------
        ConfigError
            If a file is not there, is none in PEM, is locked by a password, or both do not belong together.
        """
        for file in (self.chain, *([] if self.key is None else [self.key])):
            if not file.is_file():
                raise ConfigError("no such file", where=file, mend="give --cert and --key as files in PEM")
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                self.chain,
                self.key,
                password="",  # else it would be asked for on the terminal
            )
        except (ssl.SSLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            what = f"certificate and key cannot be used together ({str(reason).replace('_', ' ').lower()})"
            mend = "give the chain with --cert and its private key, without password, with --key, both in PEM"
            raise ConfigError(what, where=self.chain, mend=mend) from None


def parse_address(text: str) -> str:
    """Return an address as a browser states it as an origin, e.g. ``https://labels.example.org``.

    Raises
    ------
    ConfigError
        If it is none, or holds a path: the page lives at the root of its host.
    """
    parts = urlsplit(text.strip().rstrip("/").casefold())
    is_address = parts.scheme in ("http", "https") and _AUTHORITY.fullmatch(parts.netloc) is not None
    if not is_address or parts.path or parts.query or parts.fragment:
        mend = "write e.g. --address https://labels.example.org: a separate host name, without a path"
        raise ConfigError(f"{text!r} is not the address of a server", where="--address", mend=mend)
    standard = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(standard)}"


def authority(address: str) -> str:
    """Return host and port of an address."""
    return address.partition("://")[2]


def written(host: str) -> str:
    """Return a host as it stands in an address: that of IPv6 in brackets."""
    name = host.strip("[]")
    return f"[{name}]" if ":" in name else name


def own_hosts() -> list[str]:
    """Return the addresses of this machine in its networks: no other machine's name can stand for them."""
    found = []
    for elsewhere, family in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as way:
                way.connect((elsewhere, 9))
                found.append(written(way.getsockname()[0]))
        except OSError:
            continue  # no network of this kind
    return [host for host in found if host not in LOOPBACK]


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a server is reached.

    Parameters
    ----------
    hosts : tuple of str
        Names under which it is addressed, besides those of this machine itself.
    others : tuple of str
        Addresses at which others reach it, the best first; none where it listens to this machine only.
    address : str, optional
        The one that was stated: there may be a proxy, and pages of that origin are ours.
    """

    hosts: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    address: str | None = None

    @classmethod
    def of(
        cls, host: str, port: int, *, names: Collection[str], address: str | None, is_secure: bool
    ) -> Reach:
        """Return where a server is reached that listens at a host and port.

        Parameters
        ----------
        host, port : str, int
            Where it listens.
        names : collection of str
            Further names under which it is addressed.
        address : str, optional
            At which others reach it, e.g. through a proxy.
        is_secure : bool
            Whether it speaks TLS itself.
        """
        stated = None if address is None else parse_address(address)
        listens = own_hosts() if host in EVERYWHERE else [written(host)]
        reached = [host for host in (*names, *listens) if not _is_this_machine(host)]
        scheme = "https" if is_secure else "http"
        standard = 443 if is_secure else 80
        others = [
            f"{scheme}://{host}" if port == standard else f"{scheme}://{host}:{port}" for host in reached
        ]
        if _is_this_machine(host):
            others = []  # a proxy's names: only the proxy knows its port and whether it speaks TLS
        known = [] if stated is None else [stated]
        hosts = (
            *names,
            *listens,
            *(authority(address).rpartition(":")[0] or authority(address) for address in known),
        )
        return cls(tuple(hosts), tuple(dict.fromkeys([*known, *others])), stated)


def _is_this_machine(host: str) -> bool:
    name = written(host)
    return name in LOOPBACK or name.startswith("127.")
