"""``mitoscope bundle``: show, verify, import, fetch, calibrate, adapt, join and quantise model bundles."""

from __future__ import annotations

import json
import math
from functools import partial
from importlib import util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.bundle_classify import classify
from mitoscope.cli.bundle_import import import_
from mitoscope.cli.bundle_shelf import get, list_, pack, unpack
from mitoscope.cli.options import (
    DataOption,
    ExaminedOption,
    JsonOption,
    LabelOption,
    MppOption,
    MppOverrideOption,
    NewBundleOption,
    OptionalTruthOption,
    PolicyOption,
    ProtocolOption,
    as_bundle_name,
    as_score,
    as_weight,
    as_words,
    parse_doubt,
    parse_mpp,
    parse_policy,
    parse_weights,
)
from mitoscope.cli.terminal import bundle_as_json, print_json, say
from mitoscope.errors import ConfigError, OutputError
from mitoscope.extras import how_to_install
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.bundle import Bundle, Manifest, OperatingPoint, Origin, ScoreCalibration, Subtype, Verifier
    from mitoscope.evaluate import Calibrated, FittedPoint
    from mitoscope.statistics import Interval

app = typer.Typer(
    help="Show, verify, import, fetch, pack, calibrate, adapt, join and quantise model bundles.",
    rich_markup_mode=None,
)

_Name = Annotated[
    str | None, typer.Argument(metavar="[BUNDLE]", help="Name or folder; without it, all shipped.")
]


@app.command()
def show(
    bundle: _Name = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest, or a list of all.")] = False,
) -> None:
    """Show a bundle: what it is, its training data and its scores."""
    from mitoscope.bundle import load_bundle, shipped

    if as_json:
        names = [bundle] if bundle else shipped()
        told = [load_bundle(name).manifest.model_dump(mode="json") for name in names]
        typer.echo(json.dumps(told[0] if bundle else told, indent=2, ensure_ascii=False))
        return
    for index, name in enumerate([bundle] if bundle else shipped()):
        loaded = load_bundle(name)
        if index:
            typer.echo("")
        for line in _describe(loaded.manifest):
            typer.echo(line)
        typer.echo(f"  {'fingerprint':<14}sha256:{loaded.fingerprint}")


@app.command()
def verify(bundle: _Name = None, as_json: JsonOption = False) -> None:
    """Check every hash of a bundle and run its self-test."""
    from mitoscope.bundle import load_bundle, shipped, verify_bundle

    verified = []
    for name in [bundle] if bundle else shipped():
        loaded = load_bundle(name)
        found = verify_bundle(loaded)
        verified.append({**bundle_as_json(loaded), "self_test": found})
        if not as_json:
            typer.echo(
                f"{loaded.manifest.source}: all hashes hold, self-test {_passed(found, loaded.manifest.kind)}"
            )
    if as_json:
        print_json({"bundles": verified})


def _passed(count: int, kind: str) -> str:
    noun = "point" if kind == "points" else "window"
    return f"reproduces {say_number(count, noun)}"


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")],
    out: NewBundleOption,
    data: DataOption,
    as_json: JsonOption = False,
) -> None:
    """Export the best weights of a training run as a bundle."""
    from mitoscope.cli.train import need_training

    need_training()
    from mitoscope.train.train import export_run

    bundle = export_run(run, out, data=data)
    say(bundle_as_json(bundle), f"{bundle.manifest.source} written to {bundle.folder}", as_json)


app.command()(classify)
app.command("import")(import_)
app.command("get")(get)
app.command("pack")(pack)
app.command("unpack")(unpack)
app.command("list")(list_)


@app.command()
def calibrate(
    context: typer.Context,
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name or folder.")],
    out: NewBundleOption,
    pred: Annotated[
        Path | None, typer.Option("--pred", metavar="DIR", help="Detections of this bundle on the fields.")
    ] = None,
    truth: OptionalTruthOption = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            "--unlabelled",
            metavar="DIR",
            help="Detections of this bundle on slides without labels, in place of --pred and --truth: "
            "estimates the share of figures among candidates to expect there. Repeatable.",
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", metavar="NAME", callback=as_words, help="Name of the fields in the bundle."
        ),
    ] = "own fields",
    protocol: ProtocolOption = "mitoscope",
    point: Annotated[
        list[str] | None,
        typer.Option(
            "--point",
            metavar="NAME",
            help="Operating point to set: f1 (default), unbiased-count, recall-at-N-per-mm2 or robust; may "
            "be repeated, the first is the default of the new bundle.",
        ),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            "--weight",
            metavar="N",
            callback=as_weight,
            help="Weight of the bundle's own point, in figures (20); 0: use the fields alone.",
        ),
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="Also turn the scores into probabilities; all points move along.")
    ] = False,
    policy: PolicyOption = None,
    label: LabelOption = None,
    examined: ExaminedOption = None,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit a bundle to your laboratory: its operating points on labelled fields, or its prior without labels.

    With few figures in the fields, a point stays near that of the bundle.
    """
    from mitoscope.bundle import F1, load_bundle
    from mitoscope.errors import ConfigError
    from mitoscope.evaluate import PRIOR_FIGURES, Criterion, FileJudge, find_protocol
    from mitoscope.evaluate import calibrate as run
    from mitoscope.labels import LabelMapping

    criteria = [Criterion.parse(name) for name in point or [F1]]
    loaded = load_bundle(bundle)
    if unlabelled:
        _refuse_beside_unlabelled(context)
        _expect_share(loaded, unlabelled, out, as_json=as_json)
        return
    if pred is None or truth is None:
        raise ConfigError(
            "neither labelled fields nor slides without labels are named",
            mend="give --pred and --truth, or --unlabelled",
        )
    judge = FileJudge(
        truth,
        find_protocol(protocol),
        policy=parse_policy(policy),
        mapping=LabelMapping.parse(label or ()),
        examined=examined,
        mpp=parse_mpp(mpp),
        mpp_override=mpp_override,
    )
    done = run(
        loaded,
        judge,
        pred,
        out,
        dataset=dataset,
        criteria=criteria,
        weight=PRIOR_FIGURES if weight is None else weight,
        scores=scores,
    )
    lines = calibration_lines(done)
    say({"out": str(out), "points": lines}, "\n".join([*lines, f"written to {out}"]), as_json)
    if not done.fitted[0].is_sure:
        typer.echo(f"warning: {too_few(done.fitted[0], scores=scores)}", err=True)


def _refuse_beside_unlabelled(context: typer.Context) -> None:
    """Refuse what would say nothing of slides without labels, instead of ignoring it."""
    read = ("bundle", "out", "unlabelled", "as_json")
    stated = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name is not None
        and parameter.name not in read
        and (source := context.get_parameter_source(parameter.name)) is not None
        and source.name == "COMMANDLINE"
    ]
    if stated:
        raise ConfigError(f"--unlabelled excludes {stated[0]}", mend="leave it out")


def _expect_share(bundle: Bundle, results: list[Path], out: Path, *, as_json: bool) -> None:
    """Write a bundle that expects a laboratory's share of figures, and say what it is."""
    from mitoscope.evaluate import expect_share

    shift, stated = expect_share(bundle, results, out)
    line = (
        f"share of figures {stated.share:.3f} among {say_number(stated.candidates, 'candidate')} on "
        f"{say_number(stated.images, 'slide')}, {shift.alone or 0:.3f} by these alone; it was "
        f"{shift.calibrated:.3f} in the calibration"
    )
    values = {"share": stated.share, "candidates": stated.candidates, "slides": stated.images}
    say({**values, "calibrated": shift.calibrated, "out": str(out)}, f"{line}\nwritten to {out}", as_json)


def calibration_lines(done: Calibrated) -> list[str]:
    """Say what was chosen on labelled fields, and how sure it is."""
    lines = []
    for fitted, point in zip(done.fitted, done.points, strict=True):
        before = done.before.get(point.name)
        was = "; there was no such point before" if before is None else f"; it was {before:.3f}"
        lines.append(f"{point.name}: threshold {point.threshold:.3f}{_stated_ends(point)}{was}")
        if (drawn := point.shrinkage) is not None:
            lines.append(
                f"  drawn from {drawn.alone:.3f}, which the fields alone give, towards that of "
                f"{drawn.source}, which counts for {drawn.weight:g} figures beside {fitted.figures}"
            )
        lines.append(
            f"  F1 {fitted.score.f1 or 0:.3f}{_ends(fitted.intervals.f1)} on the same {_fields(fitted)}: "
            "optimistic, the threshold was chosen on them"
        )
        lines.append(f"  {_counted(fitted)}")
    if done.ece is not None and done.ece_before is not None:
        old, new = done.ece_before, done.ece
        lines.append(
            f"calibration error {new.value:.3f} [{new.ci_low:.3f}, {new.ci_high:.3f}], each case by the line "
            f"of the others; it was {old.value:.3f} [{old.ci_low:.3f}, {old.ci_high:.3f}]"
        )
    return lines


def _counted(fitted: FittedPoint) -> str:
    """Say how many were found, and how far that is from the truth."""
    score, bias, false = fitted.score, fitted.count_bias, fitted.false_per_mm2
    found = score.tp + score.fp
    line = f"{say_number(found, 'detection')}, {bias.value:+.2f} a case"
    line += "" if math.isnan(bias.low) else f" [{bias.low:+.2f}, {bias.high:+.2f}]"
    if false is None or math.isnan(false.value):
        return line
    line += f"; recall {score.recall or 0:.3f}{_ends(fitted.intervals.recall)} at {false.value:.2f}"
    return (
        line + ("" if math.isnan(false.low) else f" [{false.low:.2f}, {false.high:.2f}]") + " false per mm²"
    )


def too_few(point: FittedPoint, *, scores: bool) -> str:
    """Say that a point, and with ``scores`` the line over the scores, rests on few fields, and what to do."""
    from mitoscope.evaluate import CASES_ENOUGH, FIGURES_ENOUGH

    kept = "threshold and scores as they were" if scores else "the threshold as it was"
    enough = f"{CASES_ENOUGH} or more with {FIGURES_ENOUGH} figures"
    return f"{_fields(point)} are few: label {enough}, or keep {kept}"


def _fields(point: FittedPoint) -> str:
    return f"{say_number(point.cases, 'case')} with {say_number(point.figures, 'figure')}"


def _stated_ends(point: OperatingPoint) -> str:
    return "" if point.interval is None else " [{:.3f}, {:.3f}]".format(*point.interval)


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]"


@app.command()
def adapt(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name or folder of a detector.")],
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY[@VERSION]", help="Labelled slides: a study, or any file of labels."),
    ],
    slides: Annotated[Path, typer.Option("--slides", metavar="DIR", help="Folder of its slides.")],
    out: NewBundleOption,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", metavar="NAME", callback=as_words, help="Name of the slides in the bundle."
        ),
    ] = "own slides",
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence", callback=as_words, help="Licence of the slides, if the version states none."
        ),
    ] = None,
    protocol: ProtocolOption = "mitoscope",
    policy: PolicyOption = None,
    label: LabelOption = None,
    examined: ExaminedOption = None,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Retrain the last layers of a bundle's second stage on labelled slides of your laboratory.

    Takes minutes on a CPU. Each case is evaluated with layers trained on the other cases; the bundle is
    written only if average precision improves by more than chance and F1 does not fall.
    """
    from mitoscope.bundle import load_bundle
    from mitoscope.evaluate import find_protocol
    from mitoscope.exchange import read_ground_truth
    from mitoscope.infer import DetectConfig
    from mitoscope.labels import LabelMapping
    from mitoscope.loops.crops import find_slides

    if util.find_spec("onnx") is None:
        raise ConfigError("adapting needs onnx, which is not installed", mend=how_to_install("adapt"))
    if out.exists():  # said before minutes of work, not after them
        raise OutputError("exists already", where=out, mend="choose another name or remove it first")
    from mitoscope.loops.adapt import adapt as run
    from mitoscope.loops.adapt import write_adapted

    loaded, scale = load_bundle(bundle), parse_mpp(mpp)
    truth = read_ground_truth(
        study,
        policy=parse_policy(policy),
        mapping=LabelMapping.parse(label or ()),
        examined=examined,
        mpp=scale,
        mpp_override=mpp_override,
    ).need_cells()
    files = find_slides(slides, [slide.name for slide in truth])
    config = DetectConfig(mpp=None if scale is None else scale.x, mpp_override=mpp_override)
    tell = partial(typer.echo, err=as_json)  # how far it is
    done = run(loaded, truth, files, protocol=find_protocol(protocol), config=config, say=tell)
    made = write_adapted(loaded, done, out, dataset=dataset, licence=licence)
    threshold = made.manifest.default_threshold
    line = f"{made.manifest.source} written to {made.folder}; threshold {threshold:.3f}"
    values = {**bundle_as_json(made), "threshold": threshold, "judged": done.describe()}
    say(values, f"{done.describe()}\n{line}", as_json)


@app.command()
def join(
    proposals: Annotated[str, typer.Argument(metavar="PROPOSALS", help="Bundle that finds candidates.")],
    out: NewBundleOption,
    verifiers: Annotated[
        list[str] | None, typer.Argument(metavar="[VERIFIER...]", help="Bundles that verify them.")
    ] = None,
    name: Annotated[str, typer.Option("--name", callback=as_bundle_name, help="Its name.")] = "cascade",
    floor: Annotated[
        float | None,
        typer.Option(
            "--floor", callback=as_score, help="Verify candidates above this score; default: as stated."
        ),
    ] = None,
    crop: Annotated[
        int, typer.Option("--crop", metavar="PX", min=16, max=4096, help="Side of a crop for a detector.")
    ] = 128,
    flips: Annotated[
        bool, typer.Option("--flips", help="Mean over four mirror images of a crop: better and slower.")
    ] = False,
    doubt: Annotated[
        str | None,
        typer.Option(
            "--doubt",
            metavar="LOW,HIGH",
            help="Test-time augmentation of candidates whose first score lies between these.",
        ),
    ] = None,
    blend: Annotated[
        str | None,
        typer.Option(
            "--blend",
            metavar="W,...,P",
            help="Weight of each verifier and, last, of the proposals in a mean of log-odds; default: mean "
            "probability of the verifiers.",
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            "--margin", metavar="UM", min=0, max=50, help="Leave out cells nearer to the border of a slide."
        ),
    ] = 0.0,
    subtype: Annotated[
        str | None,
        typer.Option("--subtype", metavar="BUNDLE", help="Classifier of atypical mitotic figures."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Join bundles: a light detector proposes, the others verify its candidates.

    Without verifiers, --subtype is added to the bundle as it is.
    """
    from mitoscope.cli.train import need_training

    need_training()
    from mitoscope.bundle import load_bundle
    from mitoscope.errors import ConfigError
    from mitoscope.train.join import join as run
    from mitoscope.train.join import with_subtype

    if not verifiers and subtype is None:
        raise ConfigError("nothing to join", mend="name verifier bundles, or --subtype BUNDLE")
    made, others = load_bundle(proposals), [load_bundle(verifier) for verifier in verifiers or ()]
    scores = None if doubt is None else parse_doubt(doubt)
    weights = None if blend is None else parse_weights("--blend", blend)
    with TemporaryDirectory() as folder:
        if others:
            made = run(
                made,
                others,
                out if subtype is None else Path(folder) / "joined",
                name=name,
                floor=floor,
                crop_px=crop,
                flips=flips,
                doubt=scores,
                blend=weights,
                margin_um=margin,
            )
        if subtype is not None:
            made = with_subtype(made, load_bundle(subtype), out)
    say(bundle_as_json(made), f"{made.manifest.source} written to {made.folder}", as_json)


@app.command()
def quantise(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name or folder of a detector.")],
    slides: Annotated[
        list[Path], typer.Argument(metavar="SLIDE...", help="Slides or images like those to be searched.")
    ],
    out: NewBundleOption,
    mpp: MppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a bundle in int8: smaller, and faster where the processor multiplies bytes.

    The slides need no labels; they set the range of each layer. Scores change slightly: evaluate again.
    """
    from mitoscope.cli.train import need_training

    need_training()
    from mitoscope.bundle import load_bundle
    from mitoscope.train.quantise import quantise as run

    scale = parse_mpp(mpp)
    own = load_bundle(bundle)
    made = run(own, slides, out, stated_mpp=None if scale is None else scale.x)
    before, after = (sum(entry.bytes for entry in one.manifest.files.values()) for one in (own, made))
    line = f"{made.manifest.source} in int8 written to {made.folder}: {after / 1e6:.1f} MB instead of "
    values = {**bundle_as_json(made), "bytes": after, "bytes_before": before}
    say(values, f"{line}{before / 1e6:.1f} MB", as_json)


def _describe_verifier(verifier: Verifier | None) -> list[str]:
    if verifier is None:
        return []
    count = len(verifier.files)
    networks = "a classifier" if count == 1 else f"the mean of {count} classifiers"
    if verifier.blend is not None:
        shares = [*verifier.blend.weights, verifier.blend.proposal]
        networks = (
            f"log-odds of {count} classifiers and the first stage, {':'.join(f'{s:g}' for s in shares)},"
        )
    views = ", four mirror images" if verifier.flips else ""
    if verifier.doubt is not None:
        low, high = verifier.doubt
        views += f"; one look where that scores below {low:g} or above {high:g}"
    return [
        f"  {'second stage':<14}{networks} of crops of {_sides(verifier)} px at {verifier.mpp:g} µm/px{views}"
    ]


def _sides(verifier: Verifier) -> str:
    return " and ".join(f"{side}" for side in dict.fromkeys(verifier.sides_px))


def _describe_point(point: OperatingPoint, *, is_default: bool) -> str:
    sizes = [f"{size} {noun}" for size, noun in ((point.cases, "cases"), (point.figures, "figures")) if size]
    counted = f" ({', '.join(sizes)})" if sizes else ""
    line = (
        f"{point.name}{', the default' if is_default else ''}: scores above {point.threshold:.3f}"
        f"{_stated_ends(point)}, {point.criterion} on {point.chosen_on}{counted}, protocol {point.protocol}"
    )
    if (drawn := point.shrinkage) is not None:
        line += (
            f"; drawn from {drawn.alone:.3f} towards {drawn.towards:.3f} of {drawn.source}, which counts for "
            f"{drawn.weight:g} figures"
        )
    return line


def _describe_subtype(subtype: Subtype | None) -> list[str]:
    if subtype is None:
        return []
    views = ", four mirror images" if subtype.flips else ""
    head = f"tells {subtype.finds}s apart, on crops of {subtype.crop_px} px at {subtype.mpp:g} µm/px{views}"
    measured = [
        f"  {'':<14}{metric.name} {metric.value:.3f} [{metric.ci_low:.3f}, {metric.ci_high:.3f}]"
        f" on {metric.dataset} ({say_number(metric.images, 'image')})"
        for metric in subtype.metrics
    ]
    return [f"  {'kinds':<14}{head}", *measured]


def _describe_shares(line: ScoreCalibration | None) -> list[str]:
    if line is None or line.figures is None:
        return []
    stated = f"{line.figures.share:.3f} of {line.figures.candidates:,} candidates in the calibration"
    if (own := line.laboratory) is not None:
        stated += f"; {own.share:.3f} of {own.candidates:,} expected, without labels from "
        stated += say_number(own.images, "slide")
    return [f"  {'figures':<14}{stated}; slides with another share are corrected for it"]


def _describe_origin(origin: Origin | None) -> list[str]:
    if origin is None:
        return []
    own = origin.interface
    return [
        f"  {'imported':<14}{origin.source} (sha256:{origin.sha256[:12]}), layout {own.layout}, scores "
        f"{own.scores}, {own.channels} in 0 to {own.pixel_max}; classes {', '.join(own.classes)}",
        f"  {'cite':<14}{origin.citation}",
    ]


def _describe(manifest: Manifest) -> list[str]:
    lines = [
        f"{manifest.name} {manifest.version}: {manifest.summary}",
        f"  {'architecture':<14}{manifest.architecture}, {manifest.precision}, "
        f"{'finds' if manifest.kind == 'points' else 'scores whole windows for'} {manifest.detects}",
        *_describe_verifier(manifest.verifier),
        *_describe_subtype(manifest.subtype),
        f"  {'scale':<14}{manifest.mpp:g} µm/px; slides of {manifest.mpp_min:g} to {manifest.mpp_max:g}",
        *(
            f"  {'point':<14}{_describe_point(point, is_default=point.name == manifest.default_point)}"
            for point in manifest.points
        ),
        f"  {'scores':<14}{manifest.describe_scores().removeprefix('Scores ').rstrip('.')}",
        *_describe_shares(manifest.calibration),
        f"  {'licence':<14}{manifest.licence}",
        *_describe_origin(manifest.origin),
    ]
    lines += [
        f"  {'score':<14}{metric.name} {metric.value:.3f} [{metric.ci_low:.3f}, {metric.ci_high:.3f}]"
        f" on {metric.dataset} ({say_number(metric.images, 'image')}, protocol {metric.protocol})"
        for metric in manifest.metrics
    ]
    lines += [f"  {'trained on':<14}{source.name} ({source.licence})" for source in manifest.training]
    return lines
