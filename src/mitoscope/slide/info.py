"""What is known about a slide: its description, the rules for its resolution, the identity of its content.

The resolution is never guessed (promise 6): it comes from a tag of the file, or else from ``--mpp``, lies in
[0.05, 5] µm/px and agrees between x and y within 5 %. Where it is more than 20 % off what the objective power
suggests, a note says so: scanners that read a 20x lens at 0.24 µm/px are in use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mitoscope.errors import LevelError, ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx, Mpp, SizePx

OPTION = "--mpp"
"""The source recorded when the user states the resolution."""
MPP_TIMES_POWER = 10.0
"""Resolution in µm/px times objective power: 40x is 0.25, 20x 0.5, 10x 1.0 on every common scanner."""
POWER_TOLERANCE = 0.20
"""Relative difference between the resolution and the one the objective power suggests that gets a note."""
_MEND = "give the true value in µm per pixel with --mpp, e.g. --mpp 0.25"
_MOST_HALVINGS = 16
WHOLE_BELOW_BYTES = 64 << 20
BLOCK_BYTES = 1 << 20
BLOCKS = 64


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the pyramid.

    Parameters
    ----------
    size : SizePx
        Size in pixels of this level.
    downsample_x, downsample_y : float
        px0 per pixel of this level.
    tile : SizePx or None
        Size of the stored tiles in pixels of this level, where the file is tiled and says so.
    """

    size: SizePx
    downsample_x: float
    downsample_y: float
    tile: SizePx | None = None


@dataclass(frozen=True, slots=True)
class SlideInfo:
    """What is known about a slide.

    Parameters
    ----------
    path : Path or None
        Absolute path; None for a slide in memory.
    name : str
        File name, or the name given to a slide in memory.
    reader : str
        The reader and its version, e.g. ``openslide 4.0.1``.
    size : SizePx
        Size in px0.
    levels : tuple of Level
        Level 0 first.
    mpp : Mpp
        Resolution of level 0.
    mpp_source : str
        The tag that states the resolution, or ``--mpp``.
    objective_power : float or None
        Magnification of the objective, where the file states it.
    bounds : BoxPx or None
        The part the vendor calls scanned, in px0. Coordinates are never relative to it.
    vendor : str or None
        OpenSlide's name of the format's vendor.
    fingerprint : str
        Identity of the content, see `fingerprint`.
    reader_reason : str or None
        Why this reader and not the fast one; None where there was no choice.
    notes : tuple of str
        What was decided about the slide where the file is odd, for the report and the manifest.
    has_icc_profile : bool
        Whether the file holds an ICC profile of its colours. It is not applied: detectors were trained on
        colours as they are stored.
    """

    path: Path | None
    name: str
    reader: str
    size: SizePx
    levels: tuple[Level, ...]
    mpp: Mpp
    mpp_source: str
    objective_power: float | None
    bounds: BoxPx | None
    vendor: str | None
    fingerprint: str
    reader_reason: str | None = None
    notes: tuple[str, ...] = ()
    has_icc_profile: bool = False

    def level(self, index: int) -> Level:
        """Return a level.

        Raises
        ------
        LevelError
            If the slide has no such level; negative numbers do not count from the end.
        """
        if not 0 <= index < len(self.levels):
            raise LevelError(
                f"there is no level {index}",
                where=self.path or self.name,
                mend=f"the slide has levels 0 to {len(self.levels) - 1}",
            )
        return self.levels[index]


@dataclass(frozen=True, slots=True)
class StatedScale:
    """A resolution as the file states it, not yet believed: the tag's name and µm/px in x and y."""

    tag: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class SettledScale:
    """The resolution of a slide, who set it, and what is odd about it."""

    mpp: Mpp
    source: str
    notes: tuple[str, ...] = ()


def downsample(size0: SizePx, size: SizePx) -> tuple[float, float]:
    """Return px0 per pixel of a level in x and y.

    Pyramids are built by whole factors and cut or filled up to whole pixels, so that the ratio of the sizes
    is only near the factor (4443 / 2221 for 2): the whole factor is returned where it explains both sizes.
    """
    ratio_x, ratio_y = size0.width / size.width, size0.height / size.height
    factor = round(ratio_x if size0.width >= size0.height else ratio_y)
    explained = factor >= 1 and all(
        abs(whole - part * factor) < factor
        for whole, part in ((size0.width, size.width), (size0.height, size.height))
    )
    return (float(factor), float(factor)) if explained else (ratio_x, ratio_y)


def without_filling(size0: SizePx, size: SizePx, tile: SizePx) -> SizePx | None:
    """Return the part of a level that shows level 0 where its writer filled it up to whole tiles; else None.

    Some writers call what fills the last tiles a part of the level (those of the slides of CAMELYON): then
    the ratios of the sides differ, and the same number of halvings explains both.
    """
    for halvings in range(1, _MOST_HALVINGS):
        step = 1 << halvings
        shown = SizePx(-(-size0.width // step), -(-size0.height // step))
        tiles = -(-shown.width // tile.width), -(-shown.height // tile.height)
        if (tiles[0] * tile.width, tiles[1] * tile.height) == (size.width, size.height):
            return shown
    return None


def resolve_scale(
    read_stated: Callable[[], StatedScale | None],
    *,
    given: float | None,
    override: bool,
    objective_power: float | None,
    tag: str,
    where: Path | str,
) -> SettledScale:
    """Settle the resolution of a slide and say who set it.

    Parameters
    ----------
    read_stated : callable
        Returns what the file says; may raise `ScaleError`.
    given : float or None
        What the user says with ``--mpp``: it fills what is missing or cannot be believed, and is checked for
        its range alone.
    override : bool
        Whether it also replaces what the file says (``--mpp-override``).
    objective_power : float or None
        Magnification of the objective, where the file states it: a hint, never a reason to refuse.
    tag : str
        Where the resolution was looked for, for the error.
    where : Path or str
        The slide, for the error.

    Raises
    ------
    ScaleError
        If the resolution is missing or implausible.
    """
    chosen = None if given is None else SettledScale(_mpp(StatedScale(OPTION, given, given), where), OPTION)
    if chosen is not None and override:
        return chosen
    try:
        return _believed(read_stated(), objective_power, tag=tag, where=where)
    except ScaleError:
        if chosen is None:
            raise
        return chosen


def _believed(
    stated: StatedScale | None, objective_power: float | None, *, tag: str, where: Path | str
) -> SettledScale:
    if stated is None:
        raise ScaleError(f"states no resolution (no {tag})", where=where, mend=_MEND)
    mpp = _mpp(stated, where)
    note = None if objective_power is None else _power_note(mpp, objective_power, tag=stated.tag)
    return SettledScale(mpp, stated.tag, () if note is None else (note,))


def _mpp(stated: StatedScale, where: Path | str) -> Mpp:
    try:
        return Mpp(stated.x, stated.y)
    except ScaleError as error:
        raise ScaleError(f"{stated.tag}: {error.what}", where=where, mend=_MEND) from None


def _power_note(mpp: Mpp, power: float, *, tag: str) -> str | None:
    expected = MPP_TIMES_POWER / power
    if abs(mpp.mean / expected - 1) <= POWER_TOLERANCE:
        return None
    return (
        f"{tag} states {mpp.mean:g} µm/px, while {power:g}x suggests about {expected:g}: read as stated; "
        "if that is wrong, give the true value with --mpp and --mpp-override"
    )


def fingerprint(path: Path) -> str:
    """Return the identity of a slide's content.

    ``sha256:`` is the hash of the whole file, for files below 64 MiB. ``sampled-sha256:`` is the hash of the
    size and of 64 blocks of 1 MiB, the first, the last and others evenly between: a whole-slide image of
    10 GB would take minutes to read. A change between the blocks goes unseen, so the prefix says which one
    it is.

    A MIRAX slide is a file and a folder of the same name: the names and sizes of the folder's files and the
    content of its ``Slidedat.ini`` are part of the hash. Of other formats of several files (VMS, DICOM) only
    the file that was named is.

    Raises
    ------
    SlideFormatError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        whole = size < WHOLE_BELOW_BYTES
        if not whole:
            digest.update(f"{size}:".encode())
        with path.open("rb") as stream:
            for offset in _offsets(size, whole=whole):
                stream.seek(offset)
                digest.update(stream.read(BLOCK_BYTES))
        for line in _companions(path):
            digest.update(line)
    except OSError as error:
        raise SlideFormatError(f"cannot be read ({error.strerror})", where=path) from None
    return f"{'sha256' if whole else 'sampled-sha256'}:{digest.hexdigest()}"


def _offsets(size: int, *, whole: bool) -> Iterator[int]:
    if whole:
        return iter(range(0, size, BLOCK_BYTES))
    last = size - BLOCK_BYTES
    return (last * index // (BLOCKS - 1) for index in range(BLOCKS))


def _companions(path: Path) -> Iterator[bytes]:
    folder = path.with_suffix("")
    if path.suffix.lower() != ".mrxs" or not folder.is_dir():
        return
    for member in sorted(folder.iterdir()):
        if member.is_file():
            yield f"\n{member.name}:{member.stat().st_size}".encode("utf-8", "surrogateescape")
            if member.name.lower() == "slidedat.ini":
                yield member.read_bytes()
