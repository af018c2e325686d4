"""Looking at files that are, or are to become, slides: what they say, or why they cannot be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mitoscope.errors import ConfigError, MitoscopeError, ScaleError
from mitoscope.exchange import read_rows
from mitoscope.geometry import Mpp, SizePx
from mitoscope.slide import SlideInfo, open_slide
from mitoscope.slide.info import MPP_TIMES_POWER
from mitoscope.store import SlideRecord
from mitoscope.tissue import NucleiScale, nuclei_scale

_ANY_MPP = 1.0
"""With which a slide is opened whose own resolution is not known, to learn its size and objective."""


@dataclass(frozen=True, slots=True)
class Scales:
    """Resolutions that the user gives, in µm per level-0 pixel.

    Parameters
    ----------
    default : float, optional
        Of slides that state none.
    by_name : mapping of str to float
        Of single slides, by their file names.
    override : bool
        Whether they replace also what slides state.
    """

    default: float | None = None
    by_name: Mapping[str, float] = field(default_factory=dict)
    override: bool = False

    @classmethod
    def parse(cls, given: Sequence[str], *, override: bool = False) -> Scales:
        """Read resolutions as an option gives them: ``0.25``, ``NAME=0.25`` or a table ``name,mpp`` (CSV).

        Raises
        ------
        ConfigError, ScaleError
            If one is not a resolution.
        """
        default, by_name = None, {}
        for text in given:
            name, equals, value = text.rpartition("=")
            if equals:
                by_name[name] = _mpp(value, where=text)
            elif text.casefold().endswith(".csv"):
                by_name |= _table(Path(text))
            else:
                default = _mpp(text, where=text)
        return cls(default, by_name, override)

    def of(self, name: str, known: Mpp | None = None) -> float | None:
        """Return what is given for a slide, or else what the study knows of it."""
        stated = None if known is None or self.override else known.mean
        return self.by_name.get(name, self.default if stated is None else stated)


NO_SCALES = Scales()
"""Slides state their resolutions themselves."""


def _mpp(text: str, *, where: str) -> float:
    try:
        return Mpp.square(float(text)).mean
    except ValueError:
        mend = "give µm per pixel, e.g. --mpp 0.25, --mpp NAME=0.25, or a CSV with the columns name and mpp"
        raise ConfigError("no resolution", where=f"--mpp {where}", mend=mend) from None


def _table(path: Path) -> dict[str, float]:
    lines = [[cell.strip() for cell in cells] for _, cells in read_rows(path)]
    rows = [dict(zip(lines[0], cells, strict=False)) for cells in lines[1:]]
    if not rows or not {"name", "mpp"} <= set(lines[0]):
        mend = "its first line is name,mpp"
        raise ConfigError("not a table of resolutions", where=path, mend=mend)
    return {row["name"]: _mpp(row.get("mpp", ""), where=f"{path}: {row['name']}") for row in rows}


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a file.

    Parameters
    ----------
    name : str
        Its name.
    info : SlideInfo or None
        What it says; None where it cannot be shown.
    size : SizePx or None
        In level-0 pixels, also where only the resolution is missing.
    error : MitoscopeError or None
        Why it cannot be shown.
    hint_mpp : float or None
        The resolution that its objective suggests, where it states none.
    nuclei : NucleiScale or None
        The one that the size of its nuclei suggests then.
    """

    name: str
    info: SlideInfo | None = None
    size: SizePx | None = None
    error: MitoscopeError | None = None
    hint_mpp: float | None = None
    nuclei: NucleiScale | None = None

    @property
    def lacks_scale(self) -> bool:
        """Whether nothing is missing but the resolution."""
        return self.info is None and self.size is not None

    def record(self) -> SlideRecord | None:
        """Return what the study keeps of it, or None where it is no slide."""
        if self.info is not None:
            return SlideRecord(self.name, self.info.size, self.info.mpp)
        return None if self.size is None else SlideRecord(self.name, self.size)


def look_at(path: Path, *, mpp: float | None = None, mpp_override: bool = False) -> Looked:
    """Open a file and say what it is; nothing is raised.

    Parameters
    ----------
    path : Path
        The file.
    mpp : float, optional
        Resolution in µm/px where it states none.
    mpp_override : bool
        Let it replace also what the file states.
    """
    try:
        with open_slide(path, mpp=mpp, mpp_override=mpp_override) as slide:
            return Looked(path.name, slide.info, slide.info.size)
    except ScaleError as error:
        return _without_scale(path, error)
    except MitoscopeError as error:
        return Looked(path.name, error=error)


def _without_scale(path: Path, why: ScaleError) -> Looked:
    try:
        with open_slide(path, mpp=_ANY_MPP, probe=False) as slide:
            size, power = slide.info.size, slide.info.objective_power
            nuclei = nuclei_scale(slide)
    except MitoscopeError as error:
        return Looked(path.name, error=error)
    hint = MPP_TIMES_POWER / power if power else None
    return Looked(path.name, size=size, error=why, hint_mpp=hint, nuclei=nuclei)
