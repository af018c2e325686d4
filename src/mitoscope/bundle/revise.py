"""A bundle with other statements or a second stage: the same graph, written anew."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mitoscope.bundle.load import Bundle
from mitoscope.bundle.manifest import ModelDescription
from mitoscope.bundle.write import write_bundle


def revise(
    bundle: Bundle,
    folder: Path,
    changes: Mapping[str, Any],
    *,
    verifiers: Mapping[str, bytes] | None = None,
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
    second = manifest.verifier.files if manifest.verifier else ()
    kept = {name: bundle.read(name) for name in second} if verifiers is None else dict(verifiers)
    graphs = {manifest.detector: bundle.onnx} | kept
    picture = manifest.self_test.image
    others = {
        name: bundle.read(name)
        for name in manifest.files
        if name not in {manifest.detector, picture, *second, *graphs}
    } | dict(files or {})
    with Image.open(io.BytesIO(bundle.read(picture))) as image:
        rgb = np.array(image.convert("RGB"), dtype=np.uint8)
    return write_bundle(
        folder, description=ModelDescription(**stated), onnx=graphs, self_test_rgb=rgb, files=others
    )
