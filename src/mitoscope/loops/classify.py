"""How well a classifier tells labelled cells apart: confusion matrix and ROC AUC (CCMCT, CMC)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Border, Bundle
from mitoscope.bundle.network import open_network, score_windows
from mitoscope.errors import BundleError, TruthError
from mitoscope.geometry import Mpp
from mitoscope.infer.verify import open_verifier
from mitoscope.labels import ATYPICAL_FIGURE, MITOTIC_FIGURE
from mitoscope.search import crop_at, window
from mitoscope.slide import Plane, open_slide
from mitoscope.statistics import ConfusionMatrix, roc_auc
from mitoscope.truth import GroundTruth, SlideTruth

_BATCH: Final = 32


@dataclass(frozen=True, slots=True)
class CellClassifier:
    """What gives crops of cells their probabilities: a classifier, or the second stage of a detector.

    Parameters
    ----------
    labels : tuple of str
        Its classes, in the order of its columns.
    side_px : int
        Of a crop, at `mpp`.
    mpp : float
    border : {"mirror", "white"}
        What a crop shows beyond a slide.
    look : callable
        Crops uint8 (n, side, side, 3) → probabilities (n, classes).
    """

    labels: tuple[str, ...]
    side_px: int
    mpp: float
    border: Border
    look: Callable[[NDArray[np.uint8]], NDArray[Any]]

    @classmethod
    def of(cls, bundle: Bundle, *, threads: int = 1) -> CellClassifier:
        """Open a bundle; all looks of a second stage count alike, and its first stage is not asked.

        Raises
        ------
        BundleError
            If it tells no classes of cells apart.
        """
        manifest = bundle.manifest
        if (verifier := manifest.verifier) is not None:
            network, _ = open_verifier(bundle, "best", threads=threads)
            return cls(
                verifier.labels,
                verifier.crop_px,
                verifier.mpp,
                manifest.border,
                lambda crops: network(crops).mean(axis=1),
            )
        if manifest.kind != "scores" or len(manifest.labels) < 2:
            raise BundleError(
                f"{manifest.source} tells no classes of cells apart",
                where=bundle.folder,
                mend="give a classifier, or a detector with a second stage",
            )
        session = open_network(bundle.onnx, where=str(bundle.folder), threads=threads)
        return cls(
            manifest.labels,
            manifest.window_px,
            manifest.mpp,
            manifest.border,
            lambda crops: score_windows(session, crops),
        )


@dataclass(frozen=True, eq=False)
class Classified:
    """What a classifier makes of labelled cells.

    Parameters
    ----------
    matrix : ConfusionMatrix
        The class of the highest probability is the predicted one.
    auc : mapping of str to float or None
        Area under the ROC curve of each class against the others; None where one side has no cell.
    left_out : mapping of str to int
        Cells of classes that the classifier does not know.
    """

    matrix: ConfusionMatrix
    auc: Mapping[str, float | None]
    left_out: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        classes = {}
        for place, label in enumerate(self.matrix.labels):
            own = self.matrix.one_against_all(label)
            classes[label] = {
                "cells": int(self.matrix.counts[place].sum()),
                "precision": own.precision,
                "recall": own.recall,
                "f1": own.f1,
                "roc_auc": self.auc[label],
                "taken_for": dict(zip(self.matrix.labels, self.matrix.counts[place].tolist(), strict=True)),
            }
        return {
            "accuracy": self.matrix.accuracy,
            "balanced_accuracy": self.matrix.balanced_accuracy,
            "classes": classes,
            "left_out": dict(self.left_out),
        }


def classify_cells(
    classifier: CellClassifier, truth: GroundTruth, files: Mapping[str, Path], *, mpp: Mpp | None = None
) -> Classified:
    """Classify all labelled cells of slides.

    Parameters
    ----------
    classifier : CellClassifier
    truth : GroundTruth
    files : mapping of str to Path
        Slide name → file.
    mpp : Mpp, optional
        Of slides that state none.

    Raises
    ------
    TruthError
        If there is no cell of its classes.
    SlideError
        If a slide cannot be read.
    """
    scores = [np.empty((0, len(classifier.labels)))]
    classes: list[str] = []
    left_out: dict[str, int] = {}
    for slide in truth:
        known = [_class_of(label, classifier.labels) for label in slide.cells.label.tolist()]
        for label, name in zip(known, slide.cells.label.tolist(), strict=True):
            if label is None:
                left_out[name] = left_out.get(name, 0) + 1
        rows = [place for place, label in enumerate(known) if label is not None]
        if rows:
            scores.append(_scores(classifier, slide, rows, files[slide.name], mpp))
            classes += [label for label in known if label is not None]
    if not classes:
        raise TruthError(
            f"no cell of the classes {', '.join(classifier.labels)}",
            where=truth.source or None,
            mend="map its class names with --label",
        )
    score, true = np.concatenate(scores), np.array(classes)
    taken = [classifier.labels[place] for place in score.argmax(axis=1).tolist()]
    auc = {label: roc_auc(score[:, place], true == label) for place, label in enumerate(classifier.labels)}
    return Classified(ConfusionMatrix.of(classes, taken, labels=classifier.labels), auc, left_out)


def _class_of(label: str, known: tuple[str, ...]) -> str | None:
    if label in known:
        return label
    # To who does not tell them apart an atypical figure is a figure.
    return MITOTIC_FIGURE.name if label == ATYPICAL_FIGURE.name and MITOTIC_FIGURE.name in known else None


def _scores(
    classifier: CellClassifier, slide: SlideTruth, rows: list[int], file: Path, mpp: Mpp | None
) -> NDArray[np.float64]:
    side = classifier.side_px
    mirror_px = side if classifier.border == "mirror" else 0
    scale = slide.mpp or mpp
    with open_slide(file, mpp=None if scale is None else scale.mean) as opened:
        plane = Plane(opened, classifier.mpp)
        centres = plane.from_px0(slide.cells.points_px0[rows]).tolist()
        found = []
        for start in range(0, len(centres), _BATCH):
            crops = [
                window(plane, crop_at(x, y, side), mirror_px=mirror_px)
                for x, y in centres[start : start + _BATCH]
            ]
            found.append(np.asarray(classifier.look(np.stack(crops)), dtype=np.float64))
    return np.concatenate(found)
