"""``mitoscope compare``: bundles and results side by side on the same slides and ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import (
    THREADS_MAX,
    BoxesOption,
    DomainsOption,
    ExaminedOption,
    JsonOption,
    LabelOption,
    MppOption,
    MppOverrideOption,
    OutOption,
    PolicyOption,
    ProtocolOption,
    ProviderOption,
    SplitOption,
    TruthOption,
    parse_boxes,
    parse_choice,
    parse_mpp,
    parse_policy,
)
from mitoscope.cli.terminal import print_table, shown
from mitoscope.errors import ConfigError
from mitoscope.progress import progress

if TYPE_CHECKING:
    from mitoscope.report.comparison import Compared


def compare(
    entries: Annotated[
        list[str],
        typer.Argument(
            metavar="A B...", help="Bundles (name or folder) or results, two or more; NAME=A gives a name."
        ),
    ],
    truth: TruthOption,
    out: OutOption,
    slides: Annotated[
        list[Path] | None,
        typer.Option(
            "--slides", metavar="SLIDE|DIR", help="Slides that bundles search and the page shows; repeatable."
        ),
    ] = None,
    protocol: ProtocolOption = "mitoscope",
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            metavar="NAME=T",
            help="Threshold of one detector, instead of the one in its results; repeatable.",
        ),
    ] = None,
    calibration_truth: Annotated[
        str | None,
        typer.Option(
            "--calibration-truth",
            metavar="FILE",
            help="Choose thresholds of greatest F1 on this ground truth, of other cases.",
        ),
    ] = None,
    calibration_slides: Annotated[
        list[Path] | None,
        typer.Option(
            "--calibration-slides", metavar="SLIDE|DIR", help="Its slides, for bundles; repeatable."
        ),
    ] = None,
    calibration: Annotated[
        list[str] | None,
        typer.Option(
            "--calibration",
            metavar="NAME=RESULTS",
            help="Results of one detector on the calibration slides; repeatable.",
        ),
    ] = None,
    calibration_split: Annotated[
        str | None,
        typer.Option("--calibration-split", metavar="SIDE", help="Side of the split of --calibration-truth."),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            metavar="RULE",
            help="Images that a detector did not search: leave-out (default, for all), miss or refuse.",
        ),
    ] = "leave-out",
    strata: Annotated[
        list[str] | None,
        typer.Option(
            "--strata",
            metavar="FILE|COLUMN",
            help="Further strata: CSV of image and stratum, or a column of the ground truth; repeatable.",
        ),
    ] = None,
    rank_by: Annotated[
        str, typer.Option("--rank-by", metavar="MEASURE", help="Order of the table, e.g. average_precision.")
    ] = "f1",
    area: Annotated[
        float, typer.Option("--area", metavar="MM2", help="Window of the mitotic count in mm².")
    ] = 2.37,
    server: Annotated[
        str,
        typer.Option(
            "--server", metavar="URL", help="A served study with these slides; pictures link to it."
        ),
    ] = "",
    policy: PolicyOption = None,
    label: LabelOption = None,
    split: SplitOption = None,
    examined: ExaminedOption = None,
    boxes: BoxesOption = None,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    domains: DomainsOption = None,
    quality: Annotated[
        str | None,
        typer.Option(
            "--quality", metavar="Q", help="Quality of the search: fast, balanced (default) or best."
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, max=THREADS_MAX, help="Threads of the search; default: one for each core."
        ),
    ] = None,
    provider: ProviderOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Compare bundles and results on the same slides: measures, paired differences, detections of only one.

    Writes compare.json (the scoreboard), compare.csv and compare.html. Bundles keep their results in the
    folder: the same command continues a stopped run.
    """
    from mitoscope.evaluate import FileJudge, Missing, find_protocol
    from mitoscope.infer import DetectConfig
    from mitoscope.infer.config import PROVIDERS, QUALITIES
    from mitoscope.labels import LabelMapping
    from mitoscope.report.comparison import CalibrationSet
    from mitoscope.report.comparison import compare as run

    judge = FileJudge(
        truth,
        find_protocol(protocol),
        policy=parse_policy(policy),
        mapping=LabelMapping.parse(label or ()),
        domains=domains,
        side=split,
        examined=examined,
        boxes=parse_boxes(boxes),
        mpp=parse_mpp(mpp),
        mpp_override=mpp_override,
    )
    chosen_on = None
    if calibration_truth is not None:
        chosen_on = CalibrationSet(
            replace(judge, reference=calibration_truth, side=calibration_split),
            calibration_slides or (),
            {name: Path(path) for name, path in _named("--calibration", calibration)},
        )
    elif calibration or calibration_slides or calibration_split:
        raise ConfigError("a calibration set needs ground truth", mend="give --calibration-truth FILE")
    config = DetectConfig.parse(
        {
            "threads": threads,
            "quality": parse_choice("--quality", quality, QUALITIES),
            "provider": parse_choice("--provider", provider, PROVIDERS),
        },
        where="compare",
    )
    with progress("compare", unit="slides", verb="searched") as report:
        compared = run(
            entries,
            truth=judge,
            slides=slides or (),
            out=out,
            thresholds={name: _score(name, text) for name, text in _named("--threshold", threshold)},
            calibration=chosen_on,
            missing=Missing(parse_choice("--missing", missing, [str(rule) for rule in Missing])),
            strata=strata or (),
            area_mm2=area,
            rank_by=rank_by,
            server=server,
            config=config,
            progress=report,
        )
    written = compared.write(out)
    if as_json:
        typer.echo(compared.scoreboard.model_dump_json(indent=2))
    else:
        _print(compared)
        typer.echo(shown(f"written: {', '.join(map(str, written))}"))
    for failure in compared.failures:
        typer.echo(shown(f"error: {failure}"), err=True)
    if compared.failures:
        raise typer.Exit(1)


def _named(option: str, given: Sequence[str] | None) -> list[tuple[str, str]]:
    """Read ``NAME=VALUE``.

    Raises
    ------
    ConfigError
        If a name or a value is missing, or a name appears twice.
    """
    found: dict[str, str] = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise ConfigError(f"{text!r} names no detector", where=option, mend=f"write {option} NAME=VALUE")
        if found.setdefault(name.strip(), value.strip()) != value.strip():
            raise ConfigError(f"{name.strip()} is given twice", where=option, mend="keep one")
    return list(found.items())


def _score(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ConfigError(
            f"{text!r} is not a threshold", where="--threshold", mend=f"write e.g. --threshold {name}=0.5"
        )
    return value


def _print(compared: Compared) -> None:
    """Print what a reader needs; the JSON has more."""
    from mitoscope.report.comparison.wording import measure_rows, pair_lines, sizes, threshold_of

    board = compared.scoreboard
    typer.echo(shown(f"protocol {board.protocol.name} ({board.protocol.radius}), {sizes(board)}"))
    for entry in board.entries:
        typer.echo(shown(f"{entry.rank}. {entry.name}: {threshold_of(entry)}"))
    typer.echo("")
    columns = ("", *(entry.name for entry in board.entries))
    print_table("", columns, [[row.title, *row.values] for row in measure_rows(board)])
    typer.echo("in brackets: 95 % intervals by case" if board.cases > 1 else "a single case: no intervals")
    for line in pair_lines(board):
        typer.echo(shown(line))
    for note in board.notes:
        typer.echo(shown(f"note: {note}"))
