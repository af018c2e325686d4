"""What a loop works with: a frozen version, its slides, and a learner."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mitoscope.config import Config
from mitoscope.errors import FormatError
from mitoscope.loops.folds import fold_cases
from mitoscope.loops.learner import Learner, SlideFile, TrainingSlides
from mitoscope.store import Frozen, Store
from mitoscope.truth import TrueCells

Say = Callable[[str], None]
"""Told each step of a loop in a line."""


def say_nothing(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, eq=False)
class Material:
    """A version to learn from and to better.

    Parameters
    ----------
    store : Store
        Open for writing.
    frozen : Frozen
        Of the store.
    files : mapping of str to Path
        Slide name → file, of all slides of the version.
    learner : Learner

    Raises
    ------
    FormatError
        If a slide of the version has no file.
    """

    store: Store
    frozen: Frozen
    files: Mapping[str, Path]
    learner: Learner

    def __post_init__(self) -> None:
        missing = [name for name in self.slides if name not in self.files]
        if missing:
            mend = "give the folder of the slides with --slides"
            raise FormatError(f"no file of the slide {missing[0]!r}", where=self.frozen.name, mend=mend)

    @property
    def slides(self) -> tuple[str, ...]:
        """Names of the slides."""
        return tuple(slide.name for slide in self.frozen.truth.slides)

    @cached_property
    def _stated_mpp(self) -> dict[str, float]:
        return {one.name: one.mpp.mean for one in self.frozen.truth.slides if one.mpp is not None}

    def slide_file(self, name: str) -> SlideFile:
        """Return a slide to look at, at the resolution that the version states."""
        return SlideFile(self.files[name], self._stated_mpp.get(name))

    @cached_property
    def cells(self) -> dict[str, TrueCells]:
        """Cells by slide."""
        return {slide.name: slide.cells for slide in self.frozen.truth.slides}

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes of which there is a cell."""
        return tuple(self.frozen.truth.counts())

    def folds(self, folds: int, *, seed: int) -> dict[str, int]:
        """Return the fold in which each slide is held out; see :func:`mitoscope.loops.folds.fold_cases`."""
        return fold_cases(self.frozen.truth.slides, folds, seed=seed)

    def training_slides(self, slides: Collection[str]) -> TrainingSlides:
        """Return the cells on some slides, to learn from."""
        files = {name: self.files[name] for name in self.slides if name in slides}
        truth = self.frozen.truth
        return TrainingSlides(truth.with_slides(one for one in truth if one.name in slides), files)

    def inputs(self, review: str, config: Config) -> dict[str, str]:
        """Return what the outcome of a loop depends on."""
        return {
            "version": f"{self.frozen.name} {self.frozen.truth.sha256}",
            "learner": self.learner.fingerprint,
            "review": review,
            "settings": config.fingerprint(),
        }
