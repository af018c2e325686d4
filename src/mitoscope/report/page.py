"""The HTML page: one file without scripts and without requests.

Everything the page shows is in `Page`; the templates only lay it out. Text from outside reaches the page
through `_shown` and the templates' autoescape alone, and the print footer through `css_string`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from mitoscope import figure
from mitoscope.report.close_up import CloseUp
from mitoscope.report.overview import SlideOverview
from mitoscope.report.pictures import PagePicture
from mitoscope.wording import shown_name

_STYLE = "report.css.j2"
_PAGE = "report.html.j2"


@dataclass(frozen=True, slots=True)
class Headline:
    """The result in one look: the count, None where it is refused, and what it is a count of."""

    count: int | None
    area_mm2: float
    unit: str
    lead: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader must know before using the number; ``kind`` is ``note`` or ``warning``."""

    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A named value with an optional remark."""

    name: str
    value: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """How many figures another threshold gives."""

    threshold: str
    in_window: int
    on_slide: int
    here: bool


@dataclass(frozen=True, slots=True)
class GradeRow:
    """A band of a grading scheme, and how probable it is in the window and in a second one like it."""

    name: str
    counts: str
    in_window: str
    in_second: str
    here: bool


@dataclass(frozen=True, slots=True)
class Grading:
    """What a grading scheme says of the count; the marked row is that of the plain count."""

    title: str
    about: str
    rows: tuple[GradeRow, ...]
    has_shares: bool
    source: str


@dataclass(frozen=True, slots=True)
class Crop:
    """One candidate on a contact sheet.

    Parameters
    ----------
    rank : int
        Place among all candidates by score, from 1; the row of the CSV.
    score, x, y : str
        As shown.
    in_hot_spot : bool
        Whether it is one of the figures that the mitotic count counts.
    kind : str
        What kind of figure it is, where that is worth saying.
    picture : Picture or None
        None where the slide could not be read.
    """

    rank: int
    score: str
    x: str
    y: str
    in_hot_spot: bool
    picture: PagePicture | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A contact sheet; ``none`` stands in place of crops where there are none."""

    title: str
    about: str
    crops: tuple[Crop, ...]
    none: str


HASHES = ("Fingerprint", "Configuration")
"""Facts of the provenance that are set in letters of one width."""


@dataclass(frozen=True, slots=True)
class Page:
    """All that the report of one slide shows.

    The titles are those of a detector's report; one that a person signed says what the person did, and has
    no section of scores.
    """

    name: str
    version: str
    headline: Headline
    notes: tuple[Note, ...]
    facts: tuple[Fact, ...]
    overview: SlideOverview
    close_up: CloseUp | None
    top: Sheet
    borderline_about: str
    borderline: tuple[Sheet, ...]
    provenance: dict[str, dict[str, str]]
    reading: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    grading: Grading | None = None
    density: PagePicture | None = None
    histogram: PagePicture | None = None
    histogram_caption: str = ""
    window_title: str = "Hot spot"
    figure_key: str = "Mitotic figure above the threshold"
    top_title: str = "Highest scores"
    borderline_title: str = "Borderline"
    shows_scores: bool = True


def load_templates() -> None:
    """Compile the templates, which are kept for every page of this process."""
    for name in (_STYLE, _PAGE):
        templates().get_template(name)


def render_page(page: Page) -> str:
    """Return the report as one HTML file; the same page gives the same text."""
    return render(page, _PAGE, _STYLE)


class Named(Protocol):
    """What a page shows, and its name."""

    @property
    def name(self) -> str:
        """What the print footer says."""
        ...


def render(page: Named, body: str, style_sheet: str) -> str:
    """Return a page as one HTML file, which only its own style sheet and embedded pictures reach.

    Parameters
    ----------
    page : Named
        What the template is given as ``page``.
    body, style_sheet : str
        Names of the templates.
    """
    style = templates().get_template(style_sheet).render(footer=css_string(page.name))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    # Only this style sheet applies and only embedded pictures load: no scripts, requests, forms, frames.
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return templates().get_template(body).render(page=page, style=style, policy=policy)


def css_string(text: str) -> str:
    """Return text as a quoted CSS string in which all but ASCII letters, digits and spaces are escaped."""
    plain = "".join(
        character
        if character.isascii() and (character.isalnum() or character == " ")
        else _css_escape(character)
        for character in text
    )
    return f'"{plain}"'


def _css_escape(character: str) -> str:
    code = ord(character)
    # CSS has no NUL and no lone surrogates.
    return "\\00fffd" if code == 0 or 0xD800 <= code <= 0xDFFF else f"\\{code:06x}"


@cache
def templates() -> Environment:
    """Return the templates of this package, which escape what they are given."""
    environment = Environment(
        loader=PackageLoader("mitoscope.report"),
        autoescape=select_autoescape(default=True, disabled_extensions=("css.j2",)),
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["f"] = _decimal
    environment.globals |= {"colours": figure, "hashes": HASHES}
    return environment


def _shown(value: object) -> object:
    """Take from text what no page can show, before it is escaped; markup passes as it is."""
    return shown_name(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _decimal(value: float) -> str:
    """Write a coordinate with one decimal, two below ten."""
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
