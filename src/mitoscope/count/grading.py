"""Grading schemes as cited data, and fields of microscopes in mm²: an aid, not a grade.

What a scheme states is in ``grading.toml``, with its source; nothing is interpolated between fields.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from mitoscope.errors import ConfigError

AID = "An aid, not a grade."
"""Stands beside whatever a scheme gives."""
HPF_FIELDS = 10
"""A count is over ten high-power fields where nothing else is said."""
DIAMETER_MAX_MM = 30.0
"""No field number of an eyepiece is larger, at an objective of 1×."""
_SAME_DIAMETER_MM = 0.005
"""Diameters are stated to 0.01 mm."""


@dataclass(frozen=True, slots=True)
class MicroscopeField:
    """The round field that a microscope shows.

    Parameters
    ----------
    diameter_mm : float

    Raises
    ------
    ConfigError
        If it is not positive, or larger than an eyepiece.
    """

    diameter_mm: float

    def __post_init__(self) -> None:
        if not 0 < self.diameter_mm <= DIAMETER_MAX_MM:
            raise ConfigError(
                f"there is no field of {self.diameter_mm:g} mm",
                mend="give its diameter in mm, e.g. --field-diameter 0.55",
            )

    @classmethod
    def of(cls, field_number: float, objective: float) -> MicroscopeField:
        """Return the field of an eyepiece's field number in mm, at the magnification of the objective.

        >>> round(MicroscopeField.of(22, 40).area_mm2, 4)
        0.2376
        """
        if not objective > 0:
            raise ConfigError(
                f"there is no objective of {objective:g}×", mend="give its magnification, e.g. --objective 40"
            )
        return cls(field_number / objective)

    @property
    def area_mm2(self) -> float:
        """Area of one field."""
        return math.pi / 4 * self.diameter_mm**2

    def fields_in(self, area_mm2: float) -> float:
        """Return how many fields make up an area."""
        return area_mm2 / self.area_mm2


@dataclass(frozen=True, slots=True)
class Band:
    """Counts that mean one thing: from first to last, both included; without a last one there is no end."""

    name: str
    first: int
    last: int | None = None

    def __contains__(self, count: int) -> bool:
        return self.first <= count and (self.last is None or count <= self.last)

    @property
    def text(self) -> str:
        """The counts in words."""
        if self.last is None:
            return f"≥ {self.first}"
        return f"{self.first}–{self.last}" if self.last > self.first else f"{self.first}"


@dataclass(frozen=True, slots=True)
class CountedOver:
    """What a scheme counts over, and its bands there.

    Parameters
    ----------
    bands : tuple of Band
        Ascending; every count is in one.
    area_mm2 : float or None
        None where the source states fields.
    fields : int or None
        Number of fields; None where the source states an area.
    diameter_mm : float or None
        Of a field; None where the source states none.
    """

    bands: tuple[Band, ...]
    area_mm2: float | None = None
    fields: int | None = None
    diameter_mm: float | None = None

    @property
    def text(self) -> str:
        """What is counted over, in words."""
        if self.area_mm2 is not None:
            return f"{self.area_mm2:g} mm²"
        if self.diameter_mm is None:
            return f"{self.fields} fields of a size that the source does not state"
        return f"{self.fields} fields of {self.diameter_mm:g} mm"


@dataclass(frozen=True, slots=True)
class Scheme:
    """A grading scheme as its source states it.

    Parameters
    ----------
    name, title : str
        Its name for commands, and in full.
    published, note, source, read : str
        Edges as the source words them, what else has to be known, what they go back to, where they were read.
    over : tuple of CountedOver
        One, or one for each size of field.
    """

    name: str
    title: str
    published: str
    note: str
    source: str
    read: str
    over: tuple[CountedOver, ...]

    def rule(self, field: MicroscopeField | None = None) -> GradingRule:
        """Return the area and the bands for a microscope's field.

        Parameters
        ----------
        field : MicroscopeField, optional
            For schemes that go by fields.

        Raises
        ------
        ConfigError
            If a scheme by fields gets none, or one that the source does not state; if one by area gets one.
        """
        sizes = [field for field in self.over if field.area_mm2 is not None]
        if sizes:
            if field is not None:
                raise ConfigError(
                    f"{self.name} is counted over {sizes[0].text}, not over fields", where="--scheme"
                )
            return GradingRule(self, sizes[0].bands, sizes[0].area_mm2 or 0.0)
        stated = [field.diameter_mm for field in self.over if field.diameter_mm is not None]
        known = ", ".join(f"{value:g}" for value in stated)
        if field is None:
            what = (
                f"it is stated for fields of {known} mm"
                if stated
                else "its source states no size of the field"
            )
            raise ConfigError(
                f"{self.name} needs the field of a microscope: {what}",
                where="--scheme",
                mend="give --field-number and --objective, or --field-diameter",
            )
        for counted in self.over:
            if (
                counted.diameter_mm is None
                or abs(counted.diameter_mm - field.diameter_mm) <= _SAME_DIAMETER_MM + 1e-9
            ):
                return GradingRule(self, counted.bands, (counted.fields or HPF_FIELDS) * field.area_mm2)
        raise ConfigError(
            f"{self.name} is stated for fields of {known} mm, not of {field.diameter_mm:g} mm",
            where="--scheme",
            mend="count over a field that it is stated for: --field-diameter MM",
        )


@dataclass(frozen=True, slots=True)
class GradingRule:
    """A scheme on an area: what `mitotic_count` takes."""

    scheme: Scheme
    bands: tuple[Band, ...]
    area_mm2: float

    def band_of(self, count: int) -> Band:
        """Return the band of a count."""
        return next(band for band in self.bands if count in band)


@cache
def schemes() -> dict[str, Scheme]:
    """Return all schemes by their names."""
    text = (files("mitoscope.count") / "grading.toml").read_text(encoding="utf-8")
    return {values["name"]: _scheme(values) for values in tomllib.loads(text)["scheme"]}


def find_scheme(name: str) -> Scheme:
    """Return the scheme of a name.

    Raises
    ------
    ConfigError
        If there is none; it lists them.
    """
    found = schemes().get(name)
    if found is None:
        raise ConfigError(
            f"no scheme {name!r}", where="--scheme", mend=f"known schemes: {', '.join(schemes())}"
        )
    return found


def _scheme(values: dict[str, Any]) -> Scheme:
    over = tuple(
        CountedOver(**{**field, "bands": tuple(Band(**band) for band in field["bands"])})
        for field in values["over"]
    )
    return Scheme(**{**values, "over": over})
