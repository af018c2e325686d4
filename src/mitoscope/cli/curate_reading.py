"""``mitoscope curate crops|answers``: a review read from pictures, away from the application."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mitoscope.cli.curate_inputs import read_answers
from mitoscope.cli.tables import say

_Study = Annotated[Path, typer.Argument(metavar="STUDY", help="The store: one file a study.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the review.")]
_Third = Annotated[bool, typer.Option("--third-expert", help="The cells of the third expert.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def crops(
    study: _Study,
    name: _Name,
    slides: Annotated[Path, typer.Option("--slides", metavar="DIR", help="Folder of the slides.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Pictures and answers.csv.")],
    third: _Third = False,
    crop: Annotated[int, typer.Option("--crop", metavar="PX", min=16, help="Side of a crop.")] = 128,
    mpp: Annotated[float, typer.Option("--mpp", metavar="F", help="Resolution, µm/px.")] = 0.25,
    as_json: _Json = False,
) -> None:
    """Write the cells of a review as pictures named by number only, class and score hidden (MIDOG++)."""
    from mitoscope.cli.progress import progress
    from mitoscope.loops.reading_crops import write_blinded_crops
    from mitoscope.store import Store

    with Store.open(study, write=False) as store, progress("Crops", unit="crops") as report:
        n = write_blinded_crops(store, name, slides, out, third=third, side_px=crop, mpp=mpp, progress=report)
    line = f"{n} crops in {out}; fill in the labels of answers.csv for 'mitoscope curate answers'"
    say({"study": str(study), "review": name, "crops": n, "out": str(out)}, line, as_json)


def answers(
    study: _Study,
    name: _Name,
    labels: Annotated[
        Path, typer.Option("--labels", metavar="CSV", help="cell,label; empty ones are skipped.")
    ],
    rater: Annotated[str, typer.Option("--rater", metavar="NAME", help="The expert who gave them.")],
    third: _Third = False,
    as_json: _Json = False,
) -> None:
    """Record the labels that an expert gave to the cells of a review, all of them or none."""
    from mitoscope.curation.review import answer
    from mitoscope.labels import LabelSet
    from mitoscope.store import Store

    with Store.open(study) as store:
        known = LabelSet(tuple(store.labels().values()))
        given = {cell: known.canonical(label) for cell, label in read_answers(labels).items()}
        new = answer(store, name, rater, given, third=third)
    line = f"{len(given)} labels of {rater}, {new} of them new"
    say(
        {"study": str(study), "review": name, "rater": rater, "labels": len(given), "new": new}, line, as_json
    )
