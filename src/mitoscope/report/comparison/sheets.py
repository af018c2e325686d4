"""Contact sheets of a comparison: what only one detector found, true and false, and what none did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np

from mitoscope.evaluate import Contest, Place
from mitoscope.geometry import Mpp
from mitoscope.report.page import Crop, Sheet
from mitoscope.report.pictures import PagePicture
from mitoscope.report.sheets import crop_side_um, read_crop
from mitoscope.slide import Slide, open_slide
from mitoscope.wording import plural, say_score

SHOWN_MAX: Final = 16
"""Crops of a sheet: two rows of eight."""
NO_SCORE: Final = "no candidate"


@dataclass(frozen=True, slots=True)
class PlaceCrop(Crop):
    """A crop that leads to its place in the application, where that is served."""

    link: str = ""


@dataclass(frozen=True, slots=True)
class DetectorSheets:
    """What one detector alone found."""

    name: str
    true: Sheet
    false: Sheet


@dataclass(frozen=True, slots=True)
class ComparisonSheets:
    """All sheets of a comparison.

    Attributes
    ----------
    alone : tuple of DetectorSheets
        By rank.
    missed : Sheet
        True figures that none found.
    about : str
        How wide crops are; empty where there are no pictures.
    """

    alone: tuple[DetectorSheets, ...]
    missed: Sheet
    about: str


def make_sheets(
    contest: Contest, names: Sequence[str], slides: Mapping[str, Path], *, server: str = ""
) -> ComparisonSheets:
    """Read the sheets of a comparison.

    Parameters
    ----------
    contest : Contest
    names : sequence of str
        Of the detectors, in the order of the page.
    slides : mapping of str to Path
        Slide files by the stem of the image's name; of others no picture is shown.
    server : str
        Address of a served study, to whose slides crops lead; empty for none.

    Raises
    ------
    SlideFormatError, SlideReadError
        If a slide can no longer be read.
    """
    places = {
        **{(name, "true"): contest.alone[name].true for name in names},
        **{(name, "false"): contest.alone[name].false for name in names},
        ("", "missed"): contest.missed,
    }
    shown = {key: every[:SHOWN_MAX] for key, every in places.items()}
    pictures, side_um = _read(contest, [one for every in shown.values() for one in every], slides)

    def sheet(key: tuple[str, str], what: str, none: str) -> Sheet:
        every = places[key]
        crops = tuple(
            _crop(rank, one, pictures.get(one), server=server) for rank, one in enumerate(shown[key], 1)
        )
        n = len(every)
        part = "" if n <= SHOWN_MAX else f", the {SHOWN_MAX} with the highest scores"
        title = f"{n:,} {what if n != 1 else plural(1, what.removesuffix('s'))}{part}"
        return Sheet(title, "", crops, none)

    alone = tuple(
        DetectorSheets(
            name,
            sheet((name, "true"), "true figures", "It found no figure that the others missed."),
            sheet((name, "false"), "false detections", "Each of its false detections is near another’s."),
        )
        for name in names
    )
    missed = sheet(("", "missed"), "true figures", "Every true figure was found by one or more.")
    return ComparisonSheets(alone, missed, f"Each crop is {side_um:.0f} µm wide. " if side_um else "")


def _read(
    contest: Contest, places: Sequence[Place], slides: Mapping[str, Path]
) -> tuple[dict[Place, PagePicture | None], float]:
    """Return the picture of each place, each slide opened once, and the width of crops in µm."""
    judged = contest.entries[0].judged.judged_images
    pictures: dict[Place, PagePicture | None] = {}
    side_um = 0.0
    for image in dict.fromkeys(one.image for one in places):
        if image not in slides:
            continue
        with _opened(slides[image], judged[image].mpp) as slide:
            side_um = side_um or crop_side_um(slide)
            for one in places:
                if one.image == image and one not in pictures:
                    pictures[one] = read_crop(slide, np.array([one.x_px0, one.y_px0]))
    return pictures, side_um


@contextmanager
def _opened(path: Path, mpp: Mpp | None) -> Iterator[Slide]:
    """Open a slide; one that states no resolution has that at which it was judged."""
    with open_slide(path, mpp=None if mpp is None else mpp.mean) as slide:
        yield slide


def _crop(rank: int, one: Place, picture: PagePicture | None, *, server: str) -> PlaceCrop:
    return PlaceCrop(
        rank=rank,
        score=NO_SCORE if one.score is None else say_score(one.score),
        x=f"{one.x_px0:.0f}",
        y=f"{one.y_px0:.0f}",
        in_hot_spot=False,
        picture=picture,
        kind=one.image,
        link=link_to(one, server) if server else "",
    )


def link_to(one: Place, server: str) -> str:
    """Return the address of a place on a slide in the application: the slide by its name, level-0 px."""
    return f"{server.rstrip('/')}/#/slide/{quote(one.image, safe='')}/at/{one.x_px0:.0f},{one.y_px0:.0f}"
