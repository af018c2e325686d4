"""Writing a bundle: built beside its target, the manifest last, checked, then renamed once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.bundle.graph import CONTRACT_KEY, check_graph, with_metadata
from mitoscope.bundle.load import MANIFEST_NAME, SEAL_NAME, Bundle, contract, seal
from mitoscope.bundle.manifest import FileEntry, Manifest, ModelDescription, SelfTest
from mitoscope.bundle.network import open_network
from mitoscope.bundle.verify import load_tested, middle, points_above, scores_of
from mitoscope.errors import BundleDamagedError, BundleError
from mitoscope.fsio import atomic_directory, atomic_write, open_regular

_SELF_TEST_NAME = "self-test.png"
_RESERVED = frozenset({MANIFEST_NAME, SEAL_NAME, _SELF_TEST_NAME})


def write_bundle(
    folder: Path,
    *,
    description: ModelDescription,
    onnx: Mapping[str, Path | bytes],
    self_test_rgb: NDArray[np.uint8],
    files: Mapping[str, Path | bytes] | None = None,
) -> Bundle:
    """Write a bundle, load it back and run its self-test.

    Parameters
    ----------
    folder : Path
        Must not exist.
    description : ModelDescription
        What the author states.
    onnx : mapping of str to Path or bytes
        File name to graph; the first is the detector. Its input is ``uint8 (N, H, W, 3)``, its output
        ``float32 (N, K, 3)``: x, y in window px and score, by descending score, unused slots with score 0; of
        a bundle of scores ``float32 (N, classes)``. Further graphs are those of the verifier
        and of the subtype.
    self_test_rgb : ndarray of uint8, shape (h, w, 3)
        A picture in which the detector finds at least one point above its score floor; its sides are
        multiples of the stride (or the fixed window of the graph).
    files : mapping of str to Path or bytes, optional
        Further files, for example ``{"CARD.md": ...}``.

    Raises
    ------
    BundleError
        If a name is taken twice or the self-test has no point.
    BundleDamagedError
        If the graph is refused or does not have the bundle's interface.
    OutputError
        If the folder exists or cannot be written.
    """
    detector = next(iter(onnx), None)
    if detector is None:
        raise BundleError("a bundle needs at least one network (an ONNX file)", where=folder)
    contents = {name: _content(source) for name, source in {**onnx, **(files or {})}.items()}
    if taken := (_RESERVED & contents.keys()) | (onnx.keys() & (files or {}).keys()):
        raise BundleError(f"file names taken twice: {', '.join(sorted(taken))}", where=folder)
    for name in onnx:
        check_graph(contents[name], where=name)
    _check_further(description, onnx, folder)
    verifier, subtype = description.verifier, description.subtype
    agreed = contract(
        description,
        verifier_sha256=[_entry(contents[name]).sha256 for name in (verifier.files if verifier else ())],
        subtype_sha256=_entry(contents[subtype.file]).sha256 if subtype else "",
    )
    contents[detector] = with_metadata(contents[detector], CONTRACT_KEY, agreed)
    contents[_SELF_TEST_NAME] = _png(self_test_rgb)
    manifest = Manifest(
        **dict(description),
        detector=detector,
        self_test=_self_test(contents, detector, self_test_rgb, description=description),
        files={name: _entry(content) for name, content in sorted(contents.items())},
    )
    with atomic_directory(folder) as part:
        _write_files(part, contents, manifest)
        written = load_tested(part)
    return replace(written, folder=folder)


def _check_further(description: ModelDescription, onnx: Mapping[str, Path | bytes], folder: Path) -> None:
    """See that all graphs but the first are those of the verifier and of the subtype."""
    stated, given = description.further_graphs, tuple(onnx)[1:]
    if sorted(stated) != sorted(given):
        raise BundleError(
            f"the description names as networks of further stages {', '.join(stated) or 'none'}, "
            f"the files are {', '.join(given) or 'none'}",
            where=folder,
        )


def _content(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        with open_regular(source) as stream:
            return stream.read()
    except OSError as error:
        raise BundleError(f"cannot be read ({error.strerror})", where=source) from None


def _entry(content: bytes) -> FileEntry:
    return FileEntry(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _png(rgb: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _self_test(
    contents: Mapping[str, bytes], detector: str, rgb: NDArray[np.uint8], *, description: ModelDescription
) -> SelfTest:
    if description.kind == "scores":
        return SelfTest(image=_SELF_TEST_NAME, scores=_row(contents[detector], rgb, where=detector))
    session = open_network(contents[detector], where=detector)
    points = points_above(session, rgb, floor=description.score_floor, where=detector)
    if not len(points):
        raise BundleDamagedError(
            "the detector finds nothing in the self-test picture",
            where=detector,
            mend="choose another picture",
        )
    rounded = tuple((round(float(x), 3), round(float(y), 3), round(float(s), 5)) for x, y, s in points)
    rows: tuple[tuple[float, ...], ...] = ()
    if (verifier := description.verifier) is not None:
        rows = tuple(
            _row(contents[name], middle(rgb, side), where=name)
            for name, side in zip(verifier.files, verifier.sides_px, strict=True)
        )
    kinds: tuple[float, ...] = ()
    if (subtype := description.subtype) is not None:
        kinds = _row(contents[subtype.file], middle(rgb, subtype.crop_px), where=subtype.file)
    return SelfTest(image=_SELF_TEST_NAME, points=rounded, verifier_scores=rows, subtype_scores=kinds)


def _row(onnx: bytes, rgb: NDArray[np.uint8], *, where: str) -> tuple[float, ...]:
    scores = scores_of(open_network(onnx, where=where), rgb, where=where)
    return tuple(round(float(score), 5) for score in scores)


def _write_files(folder: Path, contents: Mapping[str, bytes], manifest: Manifest) -> None:
    text = manifest.model_dump_json(indent=2).encode() + b"\n"
    for name, content in {**contents, MANIFEST_NAME: text, SEAL_NAME: seal(text)}.items():
        with atomic_write(folder / name, replace=True) as stream:  # of a new folder, or a bundle just read
            stream.write(content)


def revise(
    bundle: Bundle,
    folder: Path,
    changes: Mapping[str, Any],
    *,
    verifiers: Mapping[str, bytes] | None = None,
    graphs: Mapping[str, bytes] | None = None,
    subtype: bytes | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write a bundle anew with some of its statements changed.

    Parameters
    ----------
    bundle : Bundle
    folder : Path
        Must not exist.
    changes : mapping
        Fields of `ModelDescription`.
    verifiers : mapping of str to bytes, optional
        File name and graph of each verifier, where the second stage is another one.
    graphs : mapping of str to bytes, optional
        Graphs in place of those of the same name, without what the earlier ones said about their use.
    subtype : bytes, optional
        Graph of the subtype, where it is another one than before.
    files : mapping of str to bytes, optional
        Further files, in place of those of the same name.

    Raises
    ------
    BundleError
        If a statement contradicts another one.
    BundleDamagedError
        If the bundle's files changed since it was loaded.
    OutputError
        If the folder exists or cannot be written.
    """
    manifest = bundle.manifest
    stated = {name: getattr(manifest, name) for name in ModelDescription.model_fields} | dict(changes)
    description = ModelDescription(**stated)
    second = manifest.verifier.files if manifest.verifier else ()
    kept = {name: bundle.read(name) for name in second} if verifiers is None else dict(verifiers)
    kept = {manifest.detector: bundle.onnx} | kept
    if (told := description.subtype) is not None:
        kept[told.file] = bundle.read(told.file) if subtype is None else subtype
    kept |= {name: graph for name, graph in (graphs or {}).items() if name in kept}
    picture = manifest.self_test.image
    others = {
        name: bundle.read(name)
        for name in manifest.files
        if name not in {manifest.detector, picture, *manifest.further_graphs, *kept}
    } | dict(files or {})
    with Image.open(io.BytesIO(bundle.read(picture))) as image:
        rgb = np.array(image.convert("RGB"), dtype=np.uint8)
    return write_bundle(folder, description=description, onnx=kept, self_test_rgb=rgb, files=others)
