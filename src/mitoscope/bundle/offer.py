"""A bundle at an address: what it is, before any of its weights come; and how it comes.

An address is a packed bundle, or the folder of one: of a web server, an object store, or the Hugging Face
hub (``hf://OWNER/REPO[@REVISION][/PATH]``, by its web addresses). Its manifest comes first and says licence,
sizes and hashes; the fingerprint is the hash of the manifest, so that what is agreed to is what comes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from mitoscope.bundle.load import MANIFEST_NAME, SEAL_NAME, Bundle, load_bundle, parse_manifest, seal
from mitoscope.bundle.manifest import Manifest
from mitoscope.bundle.pack import HEAD_BYTES, manifest_at_head, unpack_bundle
from mitoscope.bundle.shelf import place_on_shelf
from mitoscope.bundle.verify import load_tested
from mitoscope.errors import BundleDamagedError, BundleError, RemoteError
from mitoscope.fsio import atomic_directory, make_directory
from mitoscope.remote import Location, Patience, as_shown, fetch_file, is_address, read_beginning

HUB_VARIABLE: Final = "HF_ENDPOINT"
_HUB: Final = "https://huggingface.co"
_TOKEN_VARIABLE: Final = "HF_TOKEN"  # noqa: S105 (its name)
_SCHEMES: Final = ("http", "https", "s3", "gs", "hf")
_PACKED: Final = (".mitobundle", ".zip")
Report = Callable[[float, float], None]
"""Called with the bytes that are there, and all of them."""


@dataclass(frozen=True)
class Offer:
    """A bundle that can be fetched.

    Parameters
    ----------
    address : str
        As the user wrote it, without credentials.
    manifest : Manifest
        What it is; its hash is the fingerprint.
    fingerprint : str
        SHA-256 of the manifest, which holds the hash of every other file.
    """

    address: str
    manifest: Manifest
    fingerprint: str
    _content: bytes = field(repr=False)
    _location: Location
    _headers: dict[str, str] = field(repr=False)

    @property
    def is_packed(self) -> bool:
        """Whether it is one file."""
        return self._location.suffix in _PACKED

    @property
    def size_bytes(self) -> int:
        """Of its files together."""
        return len(self._content) + sum(entry.bytes for entry in self.manifest.files.values())

    def fetch(self, *, report: Report, patience: Patience | None = None) -> Bundle:
        """Fetch the bundle and put it on the user's shelf, if it is what was offered.

        What has come stays beside its place until all has, and is continued by the next call.

        Parameters
        ----------
        report : callable
            Called with the bytes that are there, and all of them.
        patience : Patience, optional
            With servers that cannot.

        Raises
        ------
        BundleDamagedError
            If what came is not what was offered, or its self-test does not hold.
        FormatError
            If it is not a packed bundle.
        RemoteError, UnreachableError, OutputError
            If it does not come, or cannot be written.
        """
        target = place_on_shelf(self.manifest.name, self.manifest.version)
        if target.exists():
            return self._on_shelf(target)
        incoming = make_directory(target.parent) / f".incoming-{self.fingerprint[:16]}"
        make_directory(incoming)
        patience = patience or Patience()
        if self.is_packed:
            archive = incoming / "bundle.zip"
            total = self.size_bytes
            fetch_file(
                self._location,
                archive,
                report=lambda size: report(min(size, total), total),
                patience=patience,
                headers=self._headers,
                most=2 * total + HEAD_BYTES,
            )
            bundle = unpack_bundle(archive, target)
        else:
            bundle = self._fetch_files(incoming, target, report, patience)
        _remove(incoming)
        if bundle.fingerprint != self.fingerprint:
            _remove(target)
            raise BundleDamagedError(
                "is another bundle than was offered", where=self.address, mend="repeat the command"
            )
        return bundle

    def _on_shelf(self, target: Path) -> Bundle:
        bundle = load_bundle(target)
        if bundle.fingerprint != self.fingerprint:
            raise BundleError(
                f"another {self.manifest.source} is on the shelf (sha256:{bundle.fingerprint[:12]})",
                where=target,
                mend="remove that folder first, if this one is to take its place",
            )
        return bundle

    def _fetch_files(self, incoming: Path, target: Path, report: Report, patience: Patience) -> Bundle:
        done, total = len(self._content), self.size_bytes
        for name, entry in self.manifest.files.items():
            if not (incoming / name).exists():
                fetch_file(
                    self._location.below(name),
                    incoming / name,
                    report=lambda size, before=done: report(min(before + size, total), total),  # type: ignore[misc]
                    patience=patience,
                    headers=self._headers,
                    most=entry.bytes,
                )
            done += entry.bytes
        with atomic_directory(target) as part:
            (part / MANIFEST_NAME).write_bytes(self._content)
            (part / SEAL_NAME).write_bytes(seal(self._content))
            for name in self.manifest.files:
                (incoming / name).replace(part / name)
            written = load_tested(part)
        return replace(written, folder=target)


def look_at(address: str) -> Offer:
    """Return what bundle is at an address; of its files only the manifest comes.

    Parameters
    ----------
    address : str
        ``https://…``, ``s3://…``, ``gs://…`` of a packed bundle or of the folder of one; or ``hf://…``.

    Raises
    ------
    RemoteError, UnreachableError
        If there is none.
    FormatError, BundleDamagedError
        If what is there is no bundle.
    """
    if not is_address(address) or Location(address.strip()).scheme not in _SCHEMES:
        raise RemoteError(
            "no address of a bundle",
            where=as_shown(address),
            mend="write https://…, s3://…, gs://… or hf://OWNER/REPO; mitoscope bundle unpack takes a file",
        )
    given = Location.parse(address)
    location, headers = _on_hub(given) if given.scheme == "hf" else (given, {})
    if location.suffix in _PACKED:
        head = read_beginning(location, HEAD_BYTES, headers=headers)
        manifest, fingerprint = manifest_at_head(head, where=given.shown)
        content = b""
    else:
        location = location.as_folder()
        place = location.below(MANIFEST_NAME)
        content = read_beginning(place, HEAD_BYTES, headers=headers)
        manifest, fingerprint = parse_manifest(content, where=given.shown)
    return Offer(given.shown, manifest, fingerprint, content, location, headers)


def _on_hub(given: Location) -> tuple[Location, dict[str, str]]:
    """Return the web address of what ``hf://`` names, and what is sent along: the user's token, if any."""
    owner, repo, path = given.server, *([*given.path.split("/", 1), ""][:2])
    repo, _, revision = repo.partition("@")
    if not owner or not repo:
        raise RemoteError(
            "names no repository", where=given.shown, mend="write hf://OWNER/REPO, or hf://OWNER/REPO/PATH"
        )
    hub = os.environ.get(HUB_VARIABLE) or _HUB
    token = os.environ.get(_TOKEN_VARIABLE)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Location(f"{hub.rstrip('/')}/{owner}/{repo}/resolve/{revision or 'main'}/{path}"), headers


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
