"""Addresses on a mirror."""

from __future__ import annotations

from urllib.parse import urlsplit


def moved(url: str, url_base: str | None) -> str:
    """Return an address on a mirror.

    >>> moved("https://zenodo.org/records/1/files/a.tiff?download=1", "http://mirror.local/zenodo/")
    'http://mirror.local/zenodo/records/1/files/a.tiff?download=1'
    """
    if url_base is None:
        return url
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{url_base.rstrip('/')}{parts.path}{query}"
