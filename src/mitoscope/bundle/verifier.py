"""The second stage of a bundle, as its manifest states it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mitoscope.bundle.part import FileName, Part, Scale, Score, Text


class Verifier(Part):
    """A second stage: a classifier whose probability of a mitotic figure replaces the score of a candidate.

    Parameters
    ----------
    files : tuple of str
        Graphs in the bundle, ``uint8 (N, H, W, 3)`` to probabilities ``float32 (N, classes)``; of several the
        mean counts (an ensemble).
    crop_px : int
        Side of the crop around a candidate, at `mpp`.
    mpp : float
        Resolution that it expects, µm/px.
    labels : tuple of str
        Its classes, in the order of its outputs.
    rule : {"replaces"}
        What its probability does to the score of the first stage.
    flips : bool
        Average over the four mirror images (test-time augmentation).
    doubt : tuple of float, optional
        Where the first look, the first graph on the crop as it is, scores from the first of these to the
        second, the other looks are taken as well and the mean counts; elsewhere the first look does. Without
        it every candidate is looked at in all ways.
    proposal_threshold : float
        Operating point of the first stage alone; those of both stages are the bundle's `thresholds`.
    """

    files: Annotated[tuple[FileName, ...], Field(min_length=1, max_length=16)]
    crop_px: Annotated[int, Field(ge=16, le=1024)]
    mpp: Scale
    labels: Annotated[tuple[Text, ...], Field(min_length=2)]
    rule: Literal["replaces"] = "replaces"
    flips: bool = False
    doubt: tuple[Score, Score] | None = None
    proposal_threshold: Score

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        for names in (self.files, self.labels):
            if len(set(names)) != len(names):
                raise ValueError("a file or a label of the verifier is named twice")
        if self.doubt and (self.doubt[0] > self.doubt[1] or self.looks == 1):
            raise ValueError("doubt goes from a lower score to a higher one, and needs looks to resolve it")
        return self

    @property
    def looks(self) -> int:
        """How many ways there are to look at a crop."""
        return len(self.files) * (4 if self.flips else 1)

    def column(self, label: str) -> int:
        """Return the output of a label."""
        return self.labels.index(label)
