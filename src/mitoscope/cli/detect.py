"""``mitoscope detect``: mitotic figures, mitotic count and report of each slide."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.cohort import write_cohort
from mitoscope.cli.common import record
from mitoscope.cli.counting import (
    FieldDiameterOption,
    FieldNumberOption,
    ObjectiveOption,
    SchemeOption,
    parse_counting,
    parse_field,
)
from mitoscope.cli.detect_plan import show_plan
from mitoscope.cli.options import (
    THREADS_MAX,
    ClusterOption,
    ForceOption,
    FormatsOption,
    JsonOption,
    MppOption,
    MppOverrideOption,
    ProviderOption,
    ThresholdOption,
    parse_choice,
    parse_mpp,
    parse_roi,
    refuse_threads_of,
)
from mitoscope.cli.terminal import cohort_progress, error_as_json, print_json, shown, summarise
from mitoscope.progress import progress
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.infer import ListedSlide, SlideDone
    from mitoscope.infer.cohort import Work
    from mitoscope.remote import Location, Outbox
    from mitoscope.report import Makers


def detect(
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder of the results; or s3://, gs:// of one.")
    ],
    slides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SLIDE...",
            help="Whole-slide or plain images, folders, patterns; also at s3://, gs://, https://; "
            "- reads names from standard input.",
        ),
    ] = None,
    slides_from: Annotated[
        Path | None,
        typer.Option(
            "--slides-from",
            metavar="LIST.csv",
            help="Further slides: columns slide and, where needed, case, mpp, roi, tumour; others are kept.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="M", help="Name or folder of a bundle; default: the shipped one."),
    ] = None,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    roi: Annotated[
        str | None, typer.Option("--roi", metavar="X,Y,W,H", help="Search only this part (level-0 px).")
    ] = None,
    threshold: ThresholdOption = None,
    point: Annotated[
        str | None,
        typer.Option(
            "--point",
            metavar="NAME",
            help="Operating point of the bundle, in place of its default one; bundle show lists them.",
        ),
    ] = None,
    formats: FormatsOption = None,
    relative_to_bounds: Annotated[
        bool,
        typer.Option(
            "--relative-to-bounds", help="GeoJSON coordinates start at the corner of the vendor's bounds."
        ),
    ] = False,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage",
            metavar="S",
            help="Report first- or second-stage scores: proposals or verified (default if possible).",
        ),
    ] = None,
    quality: Annotated[
        str | None,
        typer.Option(
            "--quality",
            metavar="Q",
            help="Test-time augmentation of the second stage: fast, balanced (default) or best.",
        ),
    ] = None,
    subtype: Annotated[
        bool, typer.Option("--subtype", help="Mark atypical mitotic figures; both kinds count.")
    ] = False,
    no_prior_shift: Annotated[
        bool,
        typer.Option(
            "--no-prior-shift", help="Do not correct the scores for the share of figures on the slide."
        ),
    ] = False,
    scheme: SchemeOption = None,
    field_number: FieldNumberOption = None,
    objective: ObjectiveOption = None,
    field_diameter: FieldDiameterOption = None,
    force: ForceOption = False,
    no_resume: Annotated[
        bool, typer.Option("--no-resume", help="Start again instead of continuing.")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, max=THREADS_MAX, help="Threads in total; default: one for each core."
        ),
    ] = None,
    order: Annotated[
        str, typer.Option("--order", help="Order of several slides: listed, smallest or largest first.")
    ] = "listed",
    retries: Annotated[
        int,
        typer.Option("--retries", min=0, max=100, help="How often failed slides are tried again."),
    ] = 1,
    staging: Annotated[
        Path | None,
        typer.Option(
            "--staging",
            metavar="DIR",
            help="Folder for copies of remote slides; default: the user's cache.",
        ),
    ] = None,
    staging_gb: Annotated[
        float | None,
        typer.Option("--staging-gb", metavar="N", help="Size limit of --staging in GB; default: 50."),
    ] = None,
    provider: ProviderOption = "cpu",
    cluster: ClusterOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only show what would be searched, and the estimated time."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find mitotic figures, count them in the hot spot and write a report for each slide.

    To continue a stopped run, repeat the same command. Where two slides have
    the same file name, all results go to sub-folders like those of the slides.
    """
    from mitoscope.bundle import DEFAULT
    from mitoscope.errors import ConfigError
    from mitoscope.infer import (
        DetectConfig,
        SlidesHere,
        find_slides,
        ordered,
        parse_order,
        place_results,
        read_slide_list,
        refuse_same_names,
    )
    from mitoscope.infer.config import PROVIDERS, QUALITIES, STAGES
    from mitoscope.infer.remarks import processor_notes
    from mitoscope.remote import Location, Outbox, Staging, as_shown, is_address
    from mitoscope.report import ResultSettings, check_outbox, makers, rows_of_run
    from mitoscope.report.making import open_detector_of
    from mitoscope.report.outputs import check_outputs, parse_formats

    wanted = parse_formats(formats)
    area_mm2, rule = parse_counting(None, scheme, parse_field(field_number, objective, field_diameter))
    box, scale = parse_roi(roi), parse_mpp(mpp)
    values = {
        "roi": None if box is None else (box.x, box.y, box.width, box.height),
        "threshold": threshold,
        "point": point,
        "mpp": None if scale is None else scale.x,
        "mpp_override": mpp_override,
        "stage": parse_choice("--stage", stage, STAGES),
        "quality": parse_choice("--quality", quality, QUALITIES),
        "subtype": subtype,
        "prior_shift": not no_prior_shift,
        # A process of a cluster has one thread; there the option counts processes.
        "threads": threads if cluster is None else None,
        "provider": parse_choice("--provider", provider, PROVIDERS),
        "resume": not no_resume,
    }
    refuse_threads_of(cluster, threads)
    config = DetectConfig.parse(values, where="detect")
    chosen = parse_order(order)
    listed = list(find_slides(_named(slides or ())))
    if slides_from is not None:
        listed += read_slide_list(slides_from)
    if not listed:
        raise ConfigError("no slide given", mend="name slides, or give a list with --slides-from LIST.csv")
    is_elsewhere = is_address(out) or any(one.address is not None for one in listed)
    listed = list(place_results(listed))
    refuse_same_names(listed)
    store = Staging.of_user(staging, staging_gb) if is_elsewhere and not dry_run else None
    outbox = Outbox(Location.parse(out), store) if is_address(out) and store is not None else None
    out = as_shown(out) if is_address(out) else out  # as it may be told from here on
    folder = Path(out) if outbox is None else outbox.folder
    for below in dict.fromkeys(item.below for item in listed):
        check_outputs((item.path for item in listed if item.below == below), folder / below, wanted)
    if outbox is not None:
        check_outbox(outbox, listed, wanted)
    settings = ResultSettings(
        model or DEFAULT,
        folder,
        config,
        formats=wanted,
        area_mm2=area_mm2,
        rule=rule,
        force=force,
        relative_to_bounds=relative_to_bounds,
    )
    if dry_run:
        if status := show_plan(listed, settings, as_json=as_json):
            raise typer.Exit(status)
        return
    planned = ordered(listed, chosen)
    through: dict[tuple[str, Path], SlideDone] = {}
    with (
        SlidesHere(planned, staging=store, report=_Coming()) as here,
        # What the bundle or the cluster cannot do is said before the first slide.
        makers(settings, cluster=cluster, threads=threads, here=here) as makes,
    ):
        if cluster is None:  # whose machines may have other processors; a note in each result says it, too
            for note in processor_notes(open_detector_of(settings)[0].manifest):
                typer.echo(f"warning: {note}", err=True)
        makes = makes if outbox is None else makes._replace(work=partial(_send, makes.work, outbox))
        for done in _work(planned, makes, retries=retries):
            _tell(done, as_json=as_json)
            through[done.slide.shown, done.slide.below] = done
    outcomes = [through[slide.shown, slide.below] for slide in listed]
    written: list[Path] = []
    if len(listed) > 1:
        rows = rows_of_run(outcomes, folder, beside=None if outbox is not None else folder)
        title = "" if outbox is None else outbox.location.name
        written = write_cohort(rows, folder, pages="html" in wanted, title=title, quiet=True)
        if outbox is not None:
            outbox.send("cohort", written)
    _close(outcomes, out, written, as_json=as_json)
    if outbox is not None and not as_json:
        typer.echo(f"results are in {outbox.location}; the working files stay in {folder}")
    statuses = [done.exit_status for done in through.values()]
    if any(statuses):
        # One slide: its own status. Several: incomplete, unless none of them could be used.
        raise typer.Exit(min(statuses) if all(statuses) else 1)


def _send(
    work: Work, outbox: Outbox, slide: ListedSlide, progress: Callable[[float, float], None]
) -> SlideDone:
    """Make the result of a slide and send it where it is to lie."""
    from mitoscope.report import send_result

    return send_result(outbox, work(slide, progress))


class _Coming:
    """Says in a line that a slide is being staged, when it begins; called from the thread that does it."""

    def __init__(self) -> None:
        self._told: set[Location] = set()

    def __call__(self, location: Location, done: int, total: int) -> None:
        if done < total and location not in self._told:
            self._told.add(location)
            typer.echo(f"staging {location}, {total / 1e9:.2f} GB", err=True)


def _work(listed: Sequence[ListedSlide], makes: Makers, *, retries: int) -> Iterator[SlideDone]:
    """Make the results of all slides and show how far they are."""
    from mitoscope.infer import run_cohort

    if len(listed) == 1:
        (slide,) = listed
        with progress(slide.path.name, unit="mm² of tissue", decimals=1, verb="searched") as report:
            yield from run_cohort(listed, lambda one, _: makes.work(one, _fresh(report)), at_once=1)
        return
    with cohort_progress() as show:
        yield from run_cohort(
            listed,
            makes.work,
            at_once=makes.at_once,
            retries=retries,
            progress=show,
        )


def _fresh(report: Callable[[float, float], None]) -> Callable[[float, float], None]:
    """Return a report that says nothing twice: a cluster says now and then where it is."""
    last = 0.0, 0.0

    def tell(done: float, total: float) -> None:
        nonlocal last
        if (done, total) != last:
            last = done, total
            report(done, total)

    return tell


def _named(slides: Iterable[str]) -> list[str]:
    """Return the slides that are named; ``-`` stands for the lines of standard input."""
    named: list[str] = []
    for one in slides:
        named += [line.rstrip("\r\n") for line in sys.stdin if line.strip()] if one == "-" else [one]
    return named


def _tell(done: SlideDone, *, as_json: bool) -> None:
    """Print what became of a slide in one line, errors on standard error."""
    from mitoscope.exchange import read_manifest

    if done.manifest is not None:
        line = summarise(read_manifest(done.manifest))
        if str(done.slide.below) != ".":
            line = f"{done.slide.below.as_posix()}/{line}"
        line = f"{line}; made before" if done.kept else line
        record(line)
        if not as_json:
            typer.echo(line)
    if done.error is not None:
        record(str(done.error), is_error=True)
        typer.echo(f"error: {done.error}", err=True)


def _close(through: Sequence[SlideDone], out: str, pages: Sequence[Path], *, as_json: bool) -> None:
    """Print what became of all slides: as JSON, or where there are several a line and the failures again."""
    if as_json:
        all_of_them = [str(path) for path in pages]
        print_json({"slides": [_as_dict(done) for done in through], "out": out, "cohort": all_of_them})
        return
    if len(through) < 2:
        return
    failed = [done for done in through if done.error is not None]
    partly = sum(done.gaps for done in through if done.error is None)
    kept = sum(done.kept for done in through)
    parts = [f"{len(through) - len(failed):,} done", f"{len(failed):,} failed" if failed else ""]
    parts += [f"{kept:,} made before" if kept else "", f"{partly:,} with gaps" if partly else ""]
    reports = any(
        done.manifest is not None and done.manifest.with_suffix(".html").exists() for done in through
    )
    where = f"{'reports' if reports else 'results'} in {out}"
    names = ", ".join(path.name for path in pages)
    typer.echo(
        shown(
            f"{say_number(len(through), 'slide')}: {', '.join(filter(None, parts))}; {where}, of all: {names}"
        )
    )
    for done in failed:
        typer.echo(f"failed: {shown(done.slide.shown)}", err=True)


def _as_dict(done: SlideDone) -> dict[str, Any]:
    """Return what became of a slide, for JSON."""
    from mitoscope.exchange import read_manifest

    values: dict[str, Any] = {} if done.manifest is None else read_manifest(done.manifest)
    page = None if done.manifest is None else done.manifest.with_suffix(".html")
    count = values.get("mitotic_count")
    return {
        "slide": done.slide.shown,
        "status": "failed" if not values else values["search"]["status"],
        "made_before": done.kept,
        "mitotic_count": None if count is None else count["count"],
        "count_mm2": None if count is None else count["area_mm2"],
        "mitotic_figures": None if not values else values["search"]["mitotic_figures"],
        "tissue_mm2": None if not values else values["search"]["tissue_mm2"],
        "threshold": None if not values else values["threshold"]["value"],
        "manifest": None if done.manifest is None else str(done.manifest),
        "report": str(page) if page is not None and page.exists() else None,
        "error": error_as_json(done.error),
    }
