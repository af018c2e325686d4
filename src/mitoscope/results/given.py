"""Findings that mitoscope did not search itself: a result as that of a bundle, but for who found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mitoscope.bundle import ScoreCalibration
from mitoscope.config import Config
from mitoscope.infer import Finder, SlideFindings


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GivenFindings(SlideFindings):
    """What another program found on a slide, or several results together.

    Parameters
    ----------
    by : Finder
        Who found it.
    asked : Config
        How it was brought here.
    opened_with : tuple of float or None and bool
        ``--mpp`` and ``--mpp-override`` of the slide.
    line : ScoreCalibration, optional
        By which the scores became probabilities.
    """

    by: Finder
    asked: Config
    opened_with: tuple[float | None, bool] = (None, False)
    line: ScoreCalibration | None = None

    @property
    def finder(self) -> Finder:
        """Who found it."""
        return self.by

    @property
    def configuration(self) -> Config:
        """As it was asked for."""
        return self.asked

    @property
    def stated_mpp(self) -> tuple[float | None, bool]:
        """With which ``--mpp`` and ``--mpp-override`` the slide is to be opened again."""
        return self.opened_with

    @property
    def scores_are_probabilities(self) -> bool:
        """Whether the scores were calibrated."""
        return self.line is not None


@dataclass(frozen=True)
class Source:
    """Another program, or several results, as the finder of a result.

    Parameters
    ----------
    name, version : str
        Of the program, or of the results together.
    fingerprint : str or None
        Of how results were joined.
    kind : str
        ``imported`` or ``joined``.
    facts : mapping of str to str
        What the report says of it.
    more : mapping of str to object
        What the manifest says of it beside that.
    """

    name: str
    version: str
    fingerprint: str | None
    kind: str
    facts: Mapping[str, str]
    more: Mapping[str, Any] = field(default_factory=dict)

    def finder(self, line: ScoreCalibration | None) -> Finder:
        """Return it with the calibration of its scores."""
        scores = "Scores rank candidates; they are not probabilities."
        if line is not None:
            scores = f"Scores are probabilities of being a mitotic figure, calibrated on {line.fitted_on}."
        return Finder(
            entry={
                "name": self.name,
                "version": self.version,
                "fingerprint": self.fingerprint,
                "kind": self.kind,
                "verifier": None,
                "subtype": None,
                "calibration": None if line is None else line.model_dump(mode="json"),
                **self.more,
            },
            facts=self.facts,
            scores=scores,
            kept=f"of {self.name}",
        )


def joined_words(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: ``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
