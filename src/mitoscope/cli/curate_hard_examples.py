"""``mitoscope curate hard-examples``: cells whose label a classifier doubts go back to the experts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.curate_inputs import read_scores
from mitoscope.cli.tables import say

if TYPE_CHECKING:
    from mitoscope.store import Store


def hard_examples(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The store: one file a study.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the review that is opened.")],
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", metavar="CSV", help="cell,score for mitotic figure; else a classifier learns."
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="VERSION", help="Frozen version to learn from, e.g. MEL."),
    ] = None,
    slides: Annotated[
        Path | None, typer.Option("--slides", metavar="DIR", help="Folder of its slides.")
    ] = None,
    classifier: Annotated[
        Path | None, typer.Option("--classifier", metavar="RECIPE", help="Recipe of the classifier.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="State and classifiers.")] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Folds of cases.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Of the folds.")] = 0,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="T", help="Non-mitotic cells above it are read again.")
    ] = 0.9,
    policy: Annotated[str, typer.Option("--policy", help="Of the present class, with --scores.")] = "settled",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Re-review cells labelled non-mitotic that a classifier scores as mitotic (HEAEL).

    The classifier of a fold of cases has not seen them. Its scores may be given instead.
    """
    from mitoscope.store import Store

    with Store.open(study) as store:
        if scores is not None:
            found = _by_scores(store, name, read_scores(scores), policy=policy, threshold=threshold)
        else:
            settings = {"folds": folds, "seed": seed, "threshold": threshold}
            found = _by_learning(store, name, (version, slides, classifier, out), settings)
    line = f"{found['asked']} of {found['scored']} cells are above {threshold:g} and not figures"
    line += f"; {found['new']} new in the review {name!r}" if found["asked"] else "; no review opened"
    say({"study": str(study), "review": name, **found}, line, as_json)


def _by_scores(
    store: Store, name: str, score_of: dict[int, float], *, policy: str, threshold: float
) -> dict[str, int]:
    from mitoscope.cli.options import parse_policy
    from mitoscope.curation.hard_examples import hard_examples as choose
    from mitoscope.curation.review import open_review
    from mitoscope.labels import AMBIGUOUS

    names = {id_: label.name for id_, label in store.labels().items()}
    view = store.agreed(parse_policy(policy))
    rows = zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True)
    label_of = {cell: names.get(label, AMBIGUOUS.name) for cell, label in rows}
    cells = [cell for cell in score_of if cell in label_of]
    chosen = choose(
        [label_of[cell] for cell in cells], [score_of[cell] for cell in cells], threshold=threshold
    )
    asked = [cells[row] for row in chosen.tolist()]
    return {"scored": len(cells), "asked": len(asked), "new": open_review(store, name, asked) if asked else 0}


def _by_learning(
    store: Store,
    name: str,
    given: tuple[str | None, Path | None, Path | None, Path | None],
    settings: dict[str, Any],
) -> dict[str, int]:
    from mitoscope.cli.curate_loops import make_learner, make_material
    from mitoscope.errors import ConfigError

    version, slides, classifier, out = given
    if version is None or slides is None or classifier is None or out is None:
        mend = "give --scores, or --version, --slides, --classifier and --out"
        raise ConfigError("neither scores nor what a classifier needs to learn", mend=mend)
    learner = make_learner(None, classifier)
    from mitoscope.loops.hard_examples import HardExamplesConfig, find_hard_examples

    config = HardExamplesConfig.parse(settings, where="hard examples")
    material = make_material(store, version, slides, learner)
    done = find_hard_examples(material, name, out, config=config, say=lambda line: typer.echo(line, err=True))
    return {"scored": len(done.score_of), "asked": len(done.asked), "new": done.new}


def split_ambiguous(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The store: one file a study.")],
    scores: Annotated[
        Path, typer.Option("--scores", metavar="CSV", help="cell,score of the dual stage for mitotic figure.")
    ],
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="T", help="Above it a look-alike, else another cell.")
    ] = 0.5,
    policy: Annotated[str, typer.Option("--policy", help="By which a cell has a class.")] = "settled",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Assign a class by score to cells without agreement (HEAEL); agreed cells stay."""
    from dataclasses import asdict

    from mitoscope.cli.options import parse_policy
    from mitoscope.curation.settling import settle_ambiguous
    from mitoscope.store import Store

    with Store.open(study) as store:
        done = settle_ambiguous(store, read_scores(scores), policy=parse_policy(policy), threshold=threshold)
    line = f"{done.look_alikes} look-alikes, {done.others} other cells; {done.without_score} have no score"
    say({"study": str(study), **asdict(done)}, line, as_json)
