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
    proposal_threshold : float
        Operating point of the first stage alone; those of both stages are the bundle's `thresholds`.
    """

    files: Annotated[tuple[FileName, ...], Field(min_length=1, max_length=16)]
    crop_px: Annotated[int, Field(ge=16, le=1024)]
    mpp: Scale
    labels: Annotated[tuple[Text, ...], Field(min_length=2)]
    rule: Literal["replaces"] = "replaces"
    flips: bool = False
    proposal_threshold: Score

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for names in (self.files, self.labels):
            if len(set(names)) != len(names):
                raise ValueError("a file or a label of the verifier is named twice")
        return self

    def column(self, label: str) -> int:
        """Return the output of a label."""
        return self.labels.index(label)
