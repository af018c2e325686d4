"""Finding and loading a bundle: nothing of it is used before every byte is known to be the author's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

import onnxruntime as ort
from pydantic import ValidationError

from mitoscope.bundle.manifest import Manifest, ModelDescription, read_manifest
from mitoscope.bundle.network import check_network, check_scorer, contract_of, open_network, takes_any_window
from mitoscope.bundle.shelf import find_shelved, shelved_bundles
from mitoscope.config import explain
from mitoscope.errors import BundleDamagedError, BundleNotFoundError, InputError
from mitoscope.fsio import open_regular, safe_join

DEFAULT: Final = "cascade"
"""The bundle that is used when none is named."""

MANIFEST_NAME: Final = "manifest.json"
SEAL_NAME: Final = "manifest.json.sha256"
"""Holds the hash of the manifest in the form of ``sha256sum``, so that a flipped bit there is noticed too."""

_MANIFEST_BYTES_MAX: Final = 4 << 20
_FILE_BYTES_MAX: Final = 1 << 30
_MEND: Final = "install or copy the bundle again"


def shelf() -> Path:
    """Return the folder of the bundles inside the package."""
    return Path(str(files("mitoscope.bundle"))) / "shipped"


def shipped() -> tuple[str, ...]:
    """Return the names of the bundles inside the package, the default first."""
    names = sorted(path.parent.name for path in shelf().glob(f"*/{MANIFEST_NAME}"))
    return tuple(sorted(names, key=lambda name: name != DEFAULT))


def find_bundle(name_or_path: str | Path) -> Path:
    """Return the folder of a bundle that is shipped, on the user's shelf, or at a path.

    Raises
    ------
    BundleNotFoundError
        Naming the bundles that there are.
    """
    known = shipped()
    if isinstance(name_or_path, str):
        if name_or_path in known:
            return shelf() / name_or_path
        if (shelved := find_shelved(name_or_path)) is not None:
            return shelved.folder
    path = Path(name_or_path)
    if path.is_dir():
        return path
    listed = ", ".join([*known, *dict.fromkeys(bundle.name for bundle in shelved_bundles())]) or "none"
    raise BundleNotFoundError(
        f"no model bundle {str(name_or_path)!r}",
        mend=f"known: {listed}; or give the path of a bundle's folder",
    )


@dataclass(frozen=True, slots=True, repr=False)
class Bundle:
    """A model bundle whose hashes, manifest and interface hold.

    Parameters
    ----------
    manifest : Manifest
        What it is and how to use it.
    folder : Path
        Where it lies.
    fingerprint : str
        SHA-256 of the manifest, which holds the hash of every other file.
    any_window : bool
        Whether the graph takes windows of any size rather than `window_px` alone.
    contents : mapping of str to bytes
        Files that it carries with it; others are read from the folder.
    """

    manifest: Manifest
    folder: Path
    fingerprint: str
    any_window: bool
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<Bundle {self.manifest.name} {self.manifest.version}, which finds {self.manifest.detects}>"

    def carried(self) -> Self:
        """Return the bundle with the content of its files, so that it can be sent to where they are not.

        Raises
        ------
        BundleDamagedError
            If a file is missing or changed.
        """
        return replace(self, contents={name: self.read(name) for name in self.manifest.files})

    def read(self, name: str) -> bytes:
        """Return the content of one file, its hash checked again.

        Raises
        ------
        BundleDamagedError
            If the file is not listed, missing or changed.
        """
        return self.contents.get(name) or _read_file(self.folder, name, self.manifest)

    @property
    def onnx(self) -> bytes:
        """The detector's graph, its hash checked again."""
        return self.read(self.manifest.detector)


def contract(
    description: ModelDescription, *, verifier_sha256: Sequence[str] = (), subtype_sha256: str = ""
) -> str:
    """Return what manifest and detector must say alike, as canonical JSON.

    The writer puts it into the graph. A manifest that was edited and sealed anew, or a graph that was
    exchanged, no longer agrees (promise 20: swapped labels, wrong architecture or mpp, another verifier or
    none). What a bundle has not, a second stage or a subtype, it says nothing of.

    Parameters
    ----------
    description : ModelDescription
    verifier_sha256 : sequence of str
        Hashes of the verifier's graphs, in its order.
    subtype_sha256 : str
        Hash of the subtype's graph.
    """
    fields = (
        "name", "version", "architecture", "labels", "detects", "mpp", "stride_px", "window_px", "halo_px",
        "top_k",
    )  # fmt: skip
    values = description.model_dump(mode="json", include=set(fields))
    if description.kind != "points":
        values["kind"] = description.kind
    if description.verifier is not None:
        # What is not stated is left out, so that bundles outlive the statements that are new to the format.
        stated = description.verifier.model_dump(mode="json", exclude_none=True)
        values["verifier"] = stated | {"sha256": list(verifier_sha256)}
    if description.subtype is not None:
        told = description.subtype.model_dump(mode="json", exclude={"metrics"})
        values["subtype"] = told | {"sha256": subtype_sha256}
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def seal(manifest: bytes) -> bytes:
    """Return the content of the seal of a manifest."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST_NAME}\n".encode()


def _read_limited(path: Path, limit: int) -> bytes:
    if not path.is_file():
        raise BundleDamagedError("missing", where=path, mend=_MEND)
    try:
        with open_regular(path) as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise BundleDamagedError(f"cannot be read ({error.strerror})", where=path) from None
    if len(content) > limit:
        raise BundleDamagedError(f"larger than {limit} bytes", where=path, mend=_MEND)
    return content


def _read_manifest(folder: Path) -> tuple[Manifest, str]:
    path = folder / MANIFEST_NAME
    content = _read_limited(path, _MANIFEST_BYTES_MAX)
    if _read_limited(folder / SEAL_NAME, 256) != seal(content):
        raise BundleDamagedError(f"its hash is not the one in {SEAL_NAME}", where=path, mend=_MEND)
    return parse_manifest(content, where=path)


def parse_manifest(content: bytes, *, where: Path | str) -> tuple[Manifest, str]:
    """Return what a manifest says, and the fingerprint of its bundle.

    Raises
    ------
    BundleDamagedError
        If it does not fit its schema.
    """
    try:
        manifest = read_manifest(content)
    except ValidationError as error:
        what, _ = explain(error, Manifest)
        raise BundleDamagedError(what, where=where, mend=_MEND) from None
    return manifest, hashlib.sha256(content).hexdigest()


def _read_file(folder: Path, name: str, manifest: Manifest) -> bytes:
    entry = manifest.files.get(name)
    if entry is None:
        raise BundleDamagedError(f"{name!r} is not listed in the manifest", where=folder)
    if entry.bytes > _FILE_BYTES_MAX:
        raise BundleDamagedError(f"{name!r} is larger than {_FILE_BYTES_MAX} bytes", where=folder)
    try:
        path = safe_join(folder, name)
    except InputError as error:
        raise BundleDamagedError(error.what, where=folder / name) from None
    content = _read_limited(path, entry.bytes)
    if len(content) != entry.bytes or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise BundleDamagedError("its size or hash is not the manifest's", where=path, mend=_MEND)
    return content


def _check_interface(session: ort.InferenceSession, manifest: Manifest, *, where: str) -> None:
    if manifest.kind == "points":
        check_network(session, manifest, where=where)
    else:
        check_scorer(session, side_px=manifest.window_px, classes=len(manifest.labels), where=where)


def _check_verifier(folder: Path, manifest: Manifest) -> list[str]:
    """Check the interface of every graph of the verifier and return their hashes."""
    if (verifier := manifest.verifier) is None:
        return []
    for name, side in zip(verifier.files, verifier.sides_px, strict=True):
        where = str(folder / name)
        session = open_network(_read_file(folder, name, manifest), where=where)
        check_scorer(session, side_px=side, classes=len(verifier.labels), where=where)
    return [manifest.files[name].sha256 for name in verifier.files]


def _check_subtype(folder: Path, manifest: Manifest) -> str:
    """Check the interface of the subtype's graph and return its hash; nothing without one."""
    if (subtype := manifest.subtype) is None:
        return ""
    where = str(folder / subtype.file)
    session = open_network(_read_file(folder, subtype.file, manifest), where=where)
    check_scorer(session, side_px=subtype.crop_px, classes=len(subtype.labels), where=where)
    return manifest.files[subtype.file].sha256


def load_bundle(name_or_path: str | Path = DEFAULT) -> Bundle:
    """Load a bundle and check every byte of it.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a shipped bundle; name of one on the user's shelf, of which the newest is taken, or its
        ``NAME@VERSION``; or path of a bundle's folder.

    Raises
    ------
    BundleNotFoundError
        If there is none; the error names the ones there are.
    BundleDamagedError
        If a file is missing, truncated or changed, the manifest does not fit its schema, or the graph is
        refused, has another interface, or says something else about itself than the manifest.
    """
    return open_bundle(name_or_path)[0]


def open_bundle(name_or_path: str | Path) -> tuple[Bundle, ort.InferenceSession]:
    """Load a bundle as `load_bundle` does, and return the session of its detector, too.

    Notes
    -----
    Opening a graph of 500 MB takes seconds: who runs it at once need not do so twice.
    """
    folder = find_bundle(name_or_path)
    manifest, fingerprint = _read_manifest(folder)
    graph = b""
    for name in manifest.files:
        content = _read_file(folder, name, manifest)
        graph = content if name == manifest.detector else graph
    where = str(folder / manifest.detector)
    session = open_network(graph, where=where)
    _check_interface(session, manifest, where=where)
    hashes = _check_verifier(folder, manifest)
    subtype = _check_subtype(folder, manifest)
    if contract_of(session) != contract(manifest, verifier_sha256=hashes, subtype_sha256=subtype):
        raise BundleDamagedError("the graph and the manifest contradict each other", where=where, mend=_MEND)
    return Bundle(manifest, folder, fingerprint, takes_any_window(session)), session
