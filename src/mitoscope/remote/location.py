"""Addresses of files elsewhere: what may be shown of them, and what tells one from another.

An address can hold credentials: ``user:password@`` before the server, or the signature of a signed address in
its query. Neither is ever written or shown: text is made of `Location.shown`, and names of files in the cache
of `Location.identity`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit
from urllib.request import url2pathname

from mitoscope.errors import RemoteError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")
"""Two letters at least: one is a drive of Windows."""
_WEB = frozenset({"http", "https"})
_SIGNING = re.compile(
    r"(x-amz-|x-goog-|x-oss-)|(signature|sig|se|sp|sr|st|sv|ske|skoid|sks|skt|sktid|skv|spr|expires|policy|"
    r"token|access_token|key-pair-id|awsaccesskeyid|googleaccessid)$",
    re.IGNORECASE,
)
"""Parameters of signed addresses (S3, GCS, Azure, CloudFront): new ones each time, for the same object."""


def is_address(text: str) -> bool:
    """Whether a text is an address (``s3://…``, ``https://…``) rather than a path."""
    return _SCHEME.match(text) is not None


def as_shown(url: str) -> str:
    """Return an address without user, password, query and fragment.

    >>> as_shown("https://ann:secret@store.example/a%20b.svs?X-Amz-Signature=1f")
    'https://store.example/a%20b.svs'
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in _WEB:  # keys of objects may hold ? and #
        return re.sub(r"^([^:/]+://)[^/]*@", r"\1", url)
    return parts._replace(netloc=_host(parts), query="", fragment="").geturl()


def without_credentials(text: str) -> str:
    """Return a text, such as a command, with its addresses as they are shown.

    >>> without_credentials("detect --out=s3://me:secret@bucket/x https://h/a.svs?sig=1")
    'detect --out=s3://bucket/x https://h/a.svs'
    """
    return re.sub(r"[A-Za-z][A-Za-z0-9+.\-]+://\S+", lambda found: as_shown(found[0]), text)


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


@dataclass(frozen=True)
class Location:
    """A file or a folder elsewhere.

    Parameters
    ----------
    url : str
        The address with whatever it holds; never shown.
    """

    url: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Location:
        """Read an address.

        Raises
        ------
        RemoteError
            If it names no server or bucket.
        """
        place = cls(text.strip())
        if not is_address(place.url) or (not place.server and place.scheme != "file"):
            raise RemoteError(
                "names no server or bucket",
                where=as_shown(text),
                mend="write e.g. s3://bucket/folder/slide.svs",
            )
        return place

    def __str__(self) -> str:
        return self.shown

    @cached_property
    def shown(self) -> str:
        """The address as it may be written and shown."""
        return as_shown(self.url)

    @property
    def scheme(self) -> str:
        """Its protocol, in small letters; ``gs`` and ``s3`` also where their other names are used."""
        scheme = self.url.partition("://")[0].lower()
        return {"gcs": "gs", "s3a": "s3", "s3n": "s3"}.get(scheme, scheme)

    @property
    def is_web(self) -> bool:
        """Whether a web server is asked, which lists no folders."""
        return self.scheme in _WEB

    @property
    def server(self) -> str:
        """The server or bucket."""
        return _host(urlsplit(self.shown))

    @property
    def path(self) -> str:
        """The path behind the server or bucket, as its owner wrote it, without a leading slash."""
        if self.is_web:
            return unquote(urlsplit(self.url).path).lstrip("/")
        return self.shown.partition("://")[2].partition("/")[2]

    @property
    def name(self) -> str:
        """Name of the file or folder."""
        return PurePosixPath(self.path).name

    @property
    def suffix(self) -> str:
        """Of the name, in small letters."""
        return PurePosixPath(self.path).suffix.lower()

    @property
    def is_folder(self) -> bool:
        """Whether it is written as a folder, with a slash at its end, or names nothing below the server."""
        return not self.path or self.path.endswith("/")

    @property
    def identity(self) -> str:
        """What is the same for the same file: the address without credentials and signatures."""
        if not self.is_web:
            return f"{self.scheme}://{self.server}/{self.path}"
        query = [
            (name, value)
            for name, value in parse_qsl(urlsplit(self.url).query, keep_blank_values=True)
            if not _SIGNING.match(name)
        ]
        return f"{self.shown}?{urlencode(query)}" if query else self.shown

    def as_folder(self) -> Location:
        """Return this address as that of a folder."""
        if self.is_folder or self.is_web:
            return self
        return replace(self, url=f"{self.url}/")

    @property
    def folder(self) -> Location:
        """The folder in which a file lies."""
        return replace(self, url=f"{self.url.rpartition('/')[0]}/")

    def beside(self, name: str) -> Location:
        """Return a file in the same folder, or below it; a signature of this one would not hold for it."""
        if self.is_web:
            parts = urlsplit(self.url)
            folder = parts.path.rpartition("/")[0]
            return replace(self, url=parts._replace(path=f"{folder}/{quote(name)}", fragment="").geturl())
        return replace(self, url=f"{self.url.rpartition('/')[0]}/{name}")

    def below(self, name: str) -> Location:
        """Return a file in this folder."""
        if self.is_web:
            parts = urlsplit(self.url)
            path = f"{parts.path.rstrip('/')}/{quote(name)}"
            return replace(self, url=parts._replace(path=path, fragment="").geturl())
        return replace(self, url=f"{self.url.rstrip('/')}/{name}")

    def local_path(self) -> Path:
        """Return the path that a ``file://`` address names."""
        return Path(url2pathname(urlsplit(self.url).path))
