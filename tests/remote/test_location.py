"""Addresses: what is shown of them, and what tells one from another."""

from __future__ import annotations

import pytest

from mitoscope.errors import RemoteError
from mitoscope.remote import Location, is_address

SIGNED = "https://ann:pa%40ss@store.example:8443/a%20b/slide.svs?part=2&X-Amz-Signature=1f2e&X-Amz-Credential=K#page"


def test_an_address_is_told_from_a_path() -> None:
    assert [
        is_address(text) for text in ("s3://b/k", "gs://b/k", "HTTPS://h/k", "file:///k", "hf://o/r")
    ] == [True] * 5
    assert not any(
        is_address(text) for text in ("slide.svs", r"C:\slide.svs", "c://x", "/a/b://c", "s3:/b/k")
    )


def test_nothing_of_the_credentials_is_shown_or_kept() -> None:
    location = Location.parse(SIGNED)
    assert str(location) == location.shown == "https://store.example:8443/a%20b/slide.svs"
    assert location.identity == "https://store.example:8443/a%20b/slide.svs?part=2"
    for text in (repr(location), str(location), location.identity):
        assert not any(secret in text for secret in ("ann", "pa%40ss", "1f2e", "Credential"))
    assert (location.name, location.suffix) == ("slide.svs", ".svs")


def test_two_signatures_of_one_object_are_one_slide_and_two_queries_are_two() -> None:
    def identity(query: str) -> str:
        return Location.parse(f"https://h/slide.svs?{query}").identity

    assert identity("X-Goog-Signature=1&X-Goog-Expires=2") == identity("X-Goog-Signature=3&X-Goog-Expires=4")
    assert identity("sv=1&sig=2&se=3") == identity("sv=9&sig=8&se=7") == identity("Signature=a&Expires=1")
    assert identity("id=1") != identity("id=2")


def test_keys_of_objects_are_taken_as_they_are() -> None:
    location = Location.parse("s3a://user:secret@bucket/case #1/a?b%20.mrxs")
    assert str(location) == "s3a://bucket/case #1/a?b%20.mrxs"
    assert (location.scheme, location.server, location.path) == ("s3", "bucket", "case #1/a?b%20.mrxs")
    assert location.beside("a?b%20/Slidedat.ini").path == "case #1/a?b%20/Slidedat.ini"
    assert location.folder.path == "case #1/"
    assert Location.parse("https://h/a%20b.mrxs?k=1").beside("a b/x.dat").url == "https://h/a%20b/x.dat?k=1"


@pytest.mark.parametrize("text", ["s3://", "https:///slide.svs", "slide.svs"])
def test_an_address_without_a_server_is_refused(text: str) -> None:
    with pytest.raises(RemoteError, match="names no server or bucket; write e"):
        Location.parse(text)
