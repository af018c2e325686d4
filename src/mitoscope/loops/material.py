"""What a loop works with: a frozen version, its slides, and a learner."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mitoscope.config import Config
from mitoscope.curation.freeze import Frozen, FrozenCell, frozen_study
from mitoscope.errors import FormatError
from mitoscope.loops.folds import fold_cases
from mitoscope.loops.learner import Learner, Lesson, SlideFile
from mitoscope.store import Store

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
        missing = [one.name for one in self.frozen.manifest.slides if one.name not in self.files]
        if missing:
            mend = "give the folder of the slides with --slides"
            raise FormatError(
                f"no file of the slide {missing[0]!r}", where=self.frozen.manifest.name, mend=mend
            )

    @property
    def slides(self) -> tuple[str, ...]:
        """Names of the slides."""
        return tuple(one.name for one in self.frozen.manifest.slides)

    @cached_property
    def _stated_mpp(self) -> dict[str, float]:
        return {one.name: one.mpp.mean for one in self.store.slides().values() if one.mpp is not None}

    def slide_file(self, name: str) -> SlideFile:
        """Return a slide to look at, at the resolution that the study states."""
        return SlideFile(self.files[name], self._stated_mpp.get(name))

    @cached_property
    def cells(self) -> dict[str, list[FrozenCell]]:
        """Cells by slide."""
        found: dict[str, list[FrozenCell]] = {name: [] for name in self.slides}
        for cell in self.frozen.cells:
            found[cell.slide].append(cell)
        return found

    def folds(self, folds: int, *, seed: int) -> dict[str, int]:
        """Return the fold in which each slide is held out; see :func:`mitoscope.loops.folds.fold_cases`."""
        return fold_cases(self.frozen.manifest.slides, folds, seed=seed)

    def lesson(self, slides: Collection[str]) -> Lesson:
        """Return the cells on some slides, to learn from."""
        manifest = self.frozen.manifest
        kept = tuple(one for one in manifest.slides if one.name in slides)
        cells = tuple(cell for cell in self.frozen.cells if cell.slide in slides)
        part = replace(self.frozen, manifest=manifest.model_copy(update={"slides": kept}), cells=cells)
        files = {name: self.files[name] for name in self.slides if name in slides}
        return Lesson(frozen_study(self.store, part), files)

    def inputs(self, review: str, config: Config) -> dict[str, str]:
        """Return what the outcome of a loop depends on."""
        return {
            "version": f"{self.frozen.manifest.name} {self.frozen.manifest.sha256}",
            "learner": self.learner.fingerprint,
            "review": review,
            "settings": config.fingerprint(),
        }
