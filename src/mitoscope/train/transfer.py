"""Transfer learning: a run begins with the weights of another run or of a bundle."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from mitoscope.bundle import TrainingSource, load_bundle
from mitoscope.data.open_data import CATALOGUE
from mitoscope.data.sources import LabelledSlides, OpenData
from mitoscope.errors import BundleError, LedgerMismatchError
from mitoscope.models.pretrained import begun_with
from mitoscope.train.checkpoint import CHECKPOINT_NAME, part, read
from mitoscope.train.recipe import RECIPE_NAME, Recipe
from mitoscope.train.state import Arrays
from mitoscope.train.unfold import unfolded

WEIGHTS_NAME: Final = "weights.npz"
"""File of a bundle with the weights by name; its graph holds them folded, see `unfold`."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Weights to begin with.

    Parameters
    ----------
    name : str
        For messages and the model card.
    architecture : str
    weights : dict of str to ndarray
    training : tuple of TrainingSource
        What they have seen.
    """

    name: str
    architecture: str
    weights: Arrays
    training: tuple[TrainingSource, ...]

    @property
    def sha256(self) -> str:
        """Hash of all weights."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()


def read_origin(source: str) -> Origin:
    """Read weights from the folder of a run, or from a bundle by name or folder.

    Raises
    ------
    BundleError
        If the bundle has no weights that can be trained on.
    TrainingDataError
        If the checkpoint of the run is missing or damaged.
    """
    checkpoint = Path(source) / CHECKPOINT_NAME
    if checkpoint.exists():
        arrays = read(checkpoint)
        weights = part(arrays, "best/") or part(arrays, "network/")
        seen = seen_by(Path(source), fingerprint=str(arrays["run"]))
        return Origin(f"run {Path(source).name}", str(arrays["architecture"]), weights, seen)
    bundle = load_bundle(source)
    manifest = bundle.manifest
    if WEIGHTS_NAME not in manifest.files:
        if (found := unfolded(bundle)) is not None:
            return Origin(manifest.source, manifest.architecture, found, manifest.training)
        raise BundleError(
            "this bundle has a graph, but no weights to train on",
            where=source,
            mend="give the folder of its training run, or a bundle packed with bundle.weights = true",
        )
    weights = unpack_weights(bundle.read(WEIGHTS_NAME), where=f"{source}/{WEIGHTS_NAME}")
    return Origin(manifest.source, manifest.architecture, weights, manifest.training)


def seen_by(run: Path, *, fingerprint: str) -> tuple[TrainingSource, ...]:
    """Return what the weights of a run have seen, those that it began with included.

    Parameters
    ----------
    run : Path
        Folder of the run.
    fingerprint : str
        That of its checkpoint, which covers its recipe and its data.

    Raises
    ------
    ConfigError
        If its recipe is missing.
    """
    recipe = Recipe.from_toml(run / RECIPE_NAME)
    source = recipe.data.source
    if isinstance(source, LabelledSlides):
        told = [(source.title, source.licence, source.attribution)]
    elif isinstance(source, OpenData):
        taken = [entry for entry in CATALOGUE if entry.name in source.sets]
        told = [(entry.title, entry.licence, entry.attribution) for entry in taken]
    else:
        told = [("synthetic slides", "none needed", "painted by mitoscope")]
    own = [
        TrainingSource(name=name, licence=licence, attribution=whom, sha256=(fingerprint,))
        for name, licence, whom in told
    ]
    further = read_origin(recipe.start_from).training if recipe.start_from else ()
    return (*own, *begun_with(recipe.model), *further)


def pack_weights(weights: Arrays) -> bytes:
    """Return weights as the content of a file."""
    stream = io.BytesIO()
    np.savez(stream, **weights)  # type: ignore[arg-type]
    return stream.getvalue()


def unpack_weights(content: bytes, *, where: str) -> Arrays:
    """Read weights from the content of a file, without pickle.

    Raises
    ------
    BundleError
        If it is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"no weights in it ({error})", where=where) from None


def begin_with(network: nn.Module, origin: Origin, *, architecture: str) -> int:
    """Put an origin's weights into a network; layers of another shape (the head for other labels) stay new.

    A Faster R-CNN may also begin with the ResNet-50 of a classifier or regressor (crowd paper, Table 8).

    Returns
    -------
    int
        Number of arrays that were taken.

    Raises
    ------
    LedgerMismatchError
        If the origin is of another architecture, or its layers of other sizes.
    """
    mend = "transfer needs the same architecture and the same sizes of layers"
    if architecture == "faster-rcnn-resnet50" and origin.architecture in ("classifier", "regressor"):
        return _begin_with_backbone(network, origin)
    if origin.architecture != architecture:
        raise LedgerMismatchError(
            f"its architecture is {origin.architecture}, not {architecture}", where=origin.name, mend=mend
        )
    own = network.state_dict()
    taken = {n: w for n, w in origin.weights.items() if n in own and tuple(own[n].shape) == w.shape}
    if 2 * len(taken) < len(own):
        raise LedgerMismatchError(
            f"only {len(taken)} of {len(own)} layers fit this network", where=origin.name, mend=mend
        )
    with torch.no_grad():
        for name, weight in taken.items():
            own[name].copy_(torch.from_numpy(np.array(weight)))
    return len(taken)


_BODY: Final = "parts.backbone.body."


def _begin_with_backbone(network: nn.Module, origin: Origin) -> int:
    """Put the backbone of a classifier under a detector; both name its layers as torchvision does."""
    own = network.state_dict()
    body = {name for name in own if name.startswith(_BODY) and not name.endswith("num_batches_tracked")}
    taken = {f"{_BODY}{name.removeprefix('network.')}": weight for name, weight in origin.weights.items()}
    fits = {name for name in body if name in taken and tuple(own[name].shape) == taken[name].shape}
    if fits != body:
        raise LedgerMismatchError(
            f"its backbone has {len(fits)} of {len(body)} arrays of a ResNet-50",
            where=origin.name,
            mend="begin with a classifier or regressor on the backbone resnet50",
        )
    with torch.no_grad():
        for name in sorted(fits):
            own[name].copy_(torch.from_numpy(np.array(taken[name])))
    return len(fits)
