"""The page of a cohort: all slides in one table with their pictures, how counts are distributed, and quality.

One HTML file without requests up to 2,000 slides. Of more, each further file holds the pictures of 2,000
slides, those to look at first before the others; the numbers of all slides are in each.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup

from mitoscope.exchange import COHORT, write_bytes
from mitoscope.fsio import make_directory
from mitoscope.report.cohort_table import COUNTED, FAILED, REFUSED, CohortRow
from mitoscope.report.outliers import rank
from mitoscope.report.outputs import SUFFIXES
from mitoscope.report.page import Fact, templates
from mitoscope.report.quality import BLURRED_SHARE, FLAGS
from mitoscope.tissue import BLURRED
from mitoscope.wording import plural, say_area, shown_name
from mitoscope.written import refuse_foreign

SLIDES_MAX: Final = 2000
"""Slides whose pictures are in one file."""
_SHOWN: Final = (
    "status", "case", "mitotic_count", "count_mm2", "count_tissue_mm2", "expected_low", "expected_high",
    "mitotic_figures", "tissue_mm2", "figures_per_mm2", "gap_mm2", "blur", "blurred_share", "pen_mm2",
    "stain_red", "stain_green", "stain_blue", "mpp", "detector",
)  # fmt: skip
"""Columns of the table that the page shows."""
_STYLE, _SCRIPT, _PAGE = "cohort.css.j2", "cohort.js", "cohort.html.j2"


def write_cohort_pages(rows: Sequence[CohortRow], out_dir: Path, *, title: str = "") -> list[Path]:
    """Write ``cohort.html``, and ``cohort.2.html`` … where there are more slides than one file takes.

    Parameters
    ----------
    rows : sequence of CohortRow
        As the table has them.
    out_dir : Path
        Folder of the results: reports are linked to, previews are put into the page.
    title : str
        What the cohort is called; by default the folder's name.

    Returns
    -------
    list of Path
        The pages. The same results give the same bytes.

    Raises
    ------
    OutputError
        If a page cannot be written.
    """
    standings = rank(rows)
    order = sorted(range(len(rows)), key=lambda place: (-standings[place].urgency, place))
    count = -(-len(rows) // SLIDES_MAX) or 1
    names = [_name(number) for number in range(count)]
    page_of = {place: number // SLIDES_MAX for number, place in enumerate(order)}
    listed = list(dict.fromkeys(name for row in rows for name in row.listed))
    slides = [
        {
            **_slide(row, listed, out_dir),
            "urgency": round(standing.urgency, 3),
            "unusual": list(standing.unusual),
            "page": page_of[place],
        }
        for place, (row, standing) in enumerate(zip(rows, standings, strict=True))
    ]
    facts = _facts(rows)
    written = []
    for number, name in enumerate(names):
        shown = [place for place in order if page_of[place] == number]
        data = {
            "page": number,
            "pages": names,
            "columns": [shown_name(one) for one in listed],
            "flags": FLAGS,
            "limits": {"blurred": BLURRED, "blurred_share": BLURRED_SHARE},
            "slides": slides,
            "pictures": {str(place): _picture(rows[place]) for place in shown},
        }
        target = make_directory(out_dir) / name
        refuse_foreign(target)
        write_bytes(target, _render(title or out_dir.resolve().name, facts, data).encode())
        written.append(target)
    return written


def _name(number: int) -> str:
    return f"{COHORT}.html" if number == 0 else f"{COHORT}.{number + 1}.html"


def _render(title: str, facts: Sequence[Fact], data: dict[str, Any]) -> str:
    style = Markup(templates().get_template(_STYLE).render())  # noqa: S704 (a file of ours)
    script = Markup((files("mitoscope.report") / "templates" / _SCRIPT).read_text(encoding="utf-8"))  # noqa: S704
    # Only this style sheet and this script run, and only embedded pictures load: no requests, forms, frames.
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    # As in JSON of any page: nothing in it may end the element that it stands in.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    return (
        templates()
        .get_template(_PAGE)
        .render(
            title=title,
            version=version("mitoscope"),
            facts=facts,
            slides=len(data["slides"]),
            pages=data["pages"],
            page=data["page"],
            style=style,
            script=script,
            policy=policy,
            data=Markup(text),  # noqa: S704
        )
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _slide(row: CohortRow, listed: Sequence[str], out_dir: Path) -> dict[str, Any]:
    """Return what the page says of a slide."""
    values = row.values
    path = Path(values["slide"])
    report = "" if values["result"] is None else f"{values['result']}{SUFFIXES['html']}"
    shown = {name: values[name] for name in _SHOWN}
    return {
        "name": shown_name(path.name),
        "report": quote(report) if report and (out_dir / report).is_file() else "",
        **{name: _short(value) for name, value in shown.items()},
        "flags": row.flags,
        "notes": shown_name(values["notes"] or ""),
        "error": shown_name(values["error"] or ""),
        "listed": [shown_name(row.listed.get(name, "")) for name in listed],
    }


def _short(value: Any) -> Any:
    """Return a number with as many digits as a reader of a page can use."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return shown_name(value) if isinstance(value, str) else value


def _picture(row: CohortRow) -> str:
    """Return the preview of a slide in base64; empty where there is none."""
    if row.manifest is None:
        return ""
    path = row.manifest.with_name(f"{row.manifest.stem}{SUFFIXES['jpg']}")
    return base64.b64encode(path.read_bytes()).decode("ascii") if path.is_file() else ""


def _facts(rows: Sequence[CohortRow]) -> tuple[Fact, ...]:
    """Write the numbers of the whole cohort."""
    by_status = Counter(row.values["status"] for row in rows)
    counts = [row.values["mitotic_count"] for row in rows if row.values["status"] == COUNTED]
    figures = sum(row.values["mitotic_figures"] or 0 for row in rows)
    area = sum(row.values["tissue_mm2"] or 0.0 for row in rows)
    cases = {row.values["case"] for row in rows if row.values["case"]}
    flagged = sum(bool(row.values["flags"]) for row in rows)
    detectors = sorted({row.values["detector"] for row in rows if row.values["detector"]})
    wanted = sorted({f"{row.requested_mm2:g}" for row in rows if row.requested_mm2})
    of = f"in {' or '.join(wanted)} mm²" if wanted else ""
    others = f"{by_status[REFUSED]:,} without a count, {by_status[FAILED]:,} failed"
    return (
        Fact("Slides", f"{len(rows):,}", f"of {len(cases):,} {plural(len(cases), 'case')}" if cases else ""),
        Fact("Counted", f"{by_status[COUNTED]:,}", others),
        Fact("Median mitotic count", f"{median(counts):g}" if counts else "–", _spread(counts, of)),
        Fact("Mitotic figures", f"{figures:,}", f"in {say_area(area)} of tissue"),
        Fact("Flagged", f"{flagged:,}", "for stain, focus, pen, gaps, tissue or resolution"),
        Fact("Detector", ", ".join(detectors) or "–", ""),
    )


def _spread(counts: Sequence[int], of: str) -> str:
    return f"{min(counts):,} to {max(counts):,} {of}" if counts else of
