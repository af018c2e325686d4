"""Several bundles or results on the same slides and ground truth: searched, judged, and written down."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mitoscope.bundle import Bundle
from mitoscope.count import TEN_HPF_MM2
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError
from mitoscope.evaluate import (
    ChosenThreshold,
    Contest,
    Entry,
    FileJudge,
    Missing,
    Protocol,
    SameSlides,
    Scoreboard,
    Strata,
    check_rank,
    choose_threshold,
    find_protocol,
    judge_entry,
    same_slides,
    scoreboard_of,
    stated_strata,
    strata_of_fields,
    strata_of_images,
)
from mitoscope.exchange import read_results
from mitoscope.frames import library
from mitoscope.fsio import make_directory
from mitoscope.image_names import stem
from mitoscope.infer import DetectConfig
from mitoscope.report.comparison.contestants import (
    Contestant,
    Progress,
    Stated,
    find_contestants,
    read_stated,
    search,
    slides_by_stem,
)
from mitoscope.report.comparison.wording import measure_rows, measures_of
from mitoscope.statistics import REPEATS
from mitoscope.truth import GroundTruth
from mitoscope.wording import say_number
from mitoscope.written import refuse_foreign

if TYPE_CHECKING:
    import pandas as pd

JSON, TABLE, PAGE = "compare.json", "compare.csv", "compare.html"
_CALIBRATION: Final = "calibration"
_NAMES_MAX: Final = 12


@dataclass(frozen=True)
class CalibrationSet:
    """Where thresholds are chosen: images that are not judged.

    Parameters
    ----------
    judge : FileJudge
        Their ground truth.
    slides : sequence of Path
        Their slides, which bundles search.
    results : mapping of str to Path
        Name of who takes part with results → its results on them.
    """

    judge: FileJudge
    slides: Sequence[Path] = ()
    results: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Compared:
    """A comparison: every number, and what is written of it.

    Attributes
    ----------
    contest : Contest
        All that was measured.
    missing : Missing
        What became of images that one did not search.
    slides : dict of str to Path
        Slides by the stem of their name, where they were given: for the pictures of the page.
    server : str
        Address of a served study, to whose slides the pictures lead; empty for none.
    failures : tuple of str
        Why slides could not be searched.
    """

    contest: Contest
    missing: Missing
    slides: dict[str, Path]
    server: str = ""
    failures: tuple[str, ...] = ()

    @cached_property
    def scoreboard(self) -> Scoreboard:
        """The public form, of a stated version."""
        return scoreboard_of(self.contest, missing=str(self.missing))

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each detector, by rank: every measure with the ends of its 95 % interval."""
        rows = []
        for entry in self.scoreboard.entries:
            row: dict[str, Any] = {"rank": entry.rank, "name": entry.name, "threshold": entry.threshold.value}
            row |= {name: getattr(entry.overall, name) for name in ("images", "cases", "figures")}
            row |= {name: getattr(entry.overall, name) for name in ("tp", "fp", "fn")}
            measures = measures_of(entry)
            for name, measure in measures.items():
                low, high = measure.interval_95 or (None, None)
                row |= {name: measure.value, f"{name}_low": low, f"{name}_high": high}
            cost = entry.cost
            row["seconds_per_mm2"] = None if cost is None else cost.seconds_per_mm2
            row["peak_mb"] = None if cost is None else cost.peak_mb
            rows.append(row)
        return rows

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a data frame.

        Raises
        ------
        ConfigError
            If pandas is not installed (``mitoscope[notebook]``).
        """
        pandas = library("pandas", extra="notebook")
        frame: pd.DataFrame = pandas.DataFrame(self.table).set_index("name")
        return frame

    def __repr__(self) -> str:
        ranked = ", ".join(f"{entry.rank}. {entry.name}" for entry in self.scoreboard.entries)
        images = say_number(len(self.scoreboard.images), "image")
        return f"<Compared by {self.contest.rank_by}: {ranked}; {images}>"

    def _repr_html_(self) -> str:
        names = [entry.name for entry in self.scoreboard.entries]
        head = "".join(f"<th>{escape(name)}</th>" for name in ("", *names))
        rows = (
            f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in (row.title, *row.values))}</tr>"
            for row in measure_rows(self.scoreboard)
        )
        return f"<table><tr>{head}</tr>{''.join(rows)}</table>"

    def write(self, out: Path) -> list[Path]:
        """Write the scoreboard (JSON), the table (CSV) and the page (HTML) into a folder.

        Raises
        ------
        OutputError
            If a file cannot be written, or one of another origin is in its place.
        SlideFormatError, SlideReadError
            If a slide can no longer be read.
        """
        from mitoscope.exchange import write_bytes
        from mitoscope.report.comparison.page import render_comparison

        folder = make_directory(Path(out))
        made = {
            JSON: (self.scoreboard.model_dump_json(indent=2) + "\n").encode(),
            TABLE: self._csv(),
            PAGE: render_comparison(self.contest, self.scoreboard, self.slides, server=self.server).encode(),
        }
        for name in made:
            refuse_foreign(folder / name)
        for name, content in made.items():
            write_bytes(folder / name, content)
        return [folder / name for name in made]

    def _csv(self) -> bytes:
        stream, rows = io.StringIO(), self.table
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue().encode()


def compare(
    entries: Sequence[str | Path | Bundle] | Mapping[str, str | Path | Bundle],
    *,
    truth: FileJudge | str | Path,
    slides: Sequence[Path | str] = (),
    out: Path | str | None = None,
    protocol: Protocol | str | None = None,
    thresholds: Mapping[str, float] | None = None,
    calibration: CalibrationSet | None = None,
    missing: Missing = Missing.LEAVE_OUT,
    strata: Sequence[str] = (),
    area_mm2: float = TEN_HPF_MM2,
    rank_by: str = "f1",
    server: str = "",
    config: DetectConfig | None = None,
    progress: Progress | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Compared:
    """Compare bundles and results on the same slides and ground truth.

    Parameters
    ----------
    entries : sequence, or mapping of names, of str, Path or Bundle
        Two or more: a bundle, or its name or folder, which searches the slides, or results in any format.
        ``NAME=…``, or a mapping, gives names.
    truth : FileJudge, str or Path
        Ground truth of any form; a `FileJudge` also says how it is read.
    slides : sequence of Path or str
        Slides, or folders of slides, that bundles search and the page shows. Those without ground truth are
        not searched.
    out : Path or str, optional
        Folder where bundles keep their results, so that the same call goes on where it stopped.
    protocol : Protocol or str, optional
        The matching rule; by default that of `truth`.
    thresholds : mapping of str to float, optional
        Of some that take part, by name, in place of what their results state.
    calibration : CalibrationSet, optional
        Choose all other thresholds there, by the greatest F1.
    missing : Missing
        What becomes of images that one did not search; by default they are judged for none.
    strata : sequence of str
        Further ways to part the images, as `FileJudge.read_strata`; kinds of region and tumour types are
        found by themselves.
    area_mm2 : float
        Window of the mitotic count.
    rank_by : str
        Measure by which the table is ordered.
    server : str
        Address of a served study (``mitoscope serve``, ``open``) with these slides, to which pictures lead.
    config : DetectConfig, optional
        How bundles search.
    progress : callable, optional
    repeats, seed : int
        Of the bootstrap.

    Raises
    ------
    ConfigError
        If there are fewer than two, two have one name, or the calibration set holds a judged image or case.
    BundleError
        If a bundle is not there, or damaged.
    FormatError, ScaleError, TruthError, NotExaminedError, UnknownLabelError
        If results or ground truth cannot be read, are of another slide, or no image is left to be judged.
    """
    judge = truth if isinstance(truth, FileJudge) else FileJudge(truth)
    if protocol is not None:
        judge = replace(judge, protocol=find_protocol(protocol) if isinstance(protocol, str) else protocol)
    contestants = find_contestants(entries, None if out is None else Path(out))
    if out is not None and (own := [one for one in contestants if one.path.resolve() == Path(out).resolve()]):
        raise ConfigError(
            f"the folder of the results of {own[0].name}", where=f"--out {out}", mend="choose another folder"
        )
    check_rank(rank_by)
    check_server(server)
    _check_names(contestants, thresholds or {}, calibration)
    files = slides_by_stem(slides)
    judge.truth  # noqa: B018 it is read before anything is searched
    if calibration is not None:
        refuse_shared(judge.truth, calibration.judge.truth)
    # Results that cannot be read stop it before anything is searched, which may take hours.
    given = {one.name: judge.read_detections(one.path) for one in contestants if one.bundle is None}
    _search(contestants, files, judge, config, progress)
    found = {
        one.name: given[one.name] if one.bundle is None else judge.read_detections(one.path)
        for one in contestants
    }
    stated = {one.name: read_stated(one) for one in contestants}
    same = same_slides(
        found, judge.truth, missing=missing, hashes={name: one.hashes for name, one in stated.items()}
    )
    cuts: dict[str, float | ChosenThreshold] = dict(thresholds or {})
    if calibration is not None:
        waiting = [one for one in contestants if one.name not in cuts]
        cuts |= _choose(waiting, calibration, config, progress)
    judged_images = [stem(slide.name) for slide in same.truth]
    made = tuple(
        _entry(
            one,
            judge,
            same,
            stated=read_stated(one, judged_images),
            threshold=cuts.get(one.name),
            repeats=repeats,
            seed=seed,
        )
        for one in contestants
    )
    return Compared(
        Contest(
            made,
            same,
            _strata(judge, strata, made, same),
            area_mm2,
            rank_by,
            tuple(_notes(contestants, made, same, missing, files)),
        ),
        missing,
        {image: path for image, path in files.items() if image in judged_images},
        check_server(server),
        tuple(f"{one.name}: {reason}" for one in contestants for reason in one.failures.values()),
    )


def check_server(address: str) -> str:
    """Return the address of a served study, or nothing.

    Raises
    ------
    ConfigError
        If it is no address of the web.
    """
    parts = urlsplit(address)
    if address and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ConfigError(
            f"{address!r} is not an address",
            where="--server",
            mend="write e.g. --server http://127.0.0.1:8411",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}" if address else ""


def _check_names(
    contestants: Sequence[Contestant], thresholds: Mapping[str, float], calibration: CalibrationSet | None
) -> None:
    names = [one.name for one in contestants]
    results = {} if calibration is None else calibration.results
    for option, given in (("--threshold", thresholds), ("--calibration", results)):
        strange = [name for name in given if name not in names]
        if strange:
            raise ConfigError(
                f"nothing that is compared is called {strange[0]!r}",
                where=option,
                mend=f"names: {', '.join(names)}",
            )
    if calibration is None:
        return
    for one in contestants:
        if one.name in thresholds or one.name in results or (one.bundle and calibration.slides):
            continue
        lacking = "--calibration-slides" if one.bundle else f"--calibration {one.name}=RESULTS"
        raise ConfigError(
            f"no results of {one.name} on the calibration set to choose its threshold on",
            mend=f"give {lacking}, or --threshold {one.name}=T",
        )


def refuse_shared(judged: GroundTruth, chosen_on: GroundTruth) -> None:
    """Refuse to choose thresholds on what is judged.

    Raises
    ------
    ConfigError
        If an image, a file or a case is on both sides.
    """
    for what, names in (("image", _stems), ("case", _cases), ("file", _hashes)):
        shared = sorted(names(judged) & names(chosen_on))
        if shared:
            raise ConfigError(
                f"the {what} {shared[0]} is in the calibration set and is judged",
                where="--calibration-truth",
                mend="choose thresholds on other cases",
            )


def _stems(truth: GroundTruth) -> set[str]:
    return {stem(slide.name) for slide in truth}


def _cases(truth: GroundTruth) -> set[str]:
    return {slide.case for slide in truth}


def _hashes(truth: GroundTruth) -> set[str]:
    return {slide.sha256 for slide in truth if slide.sha256}


def _search(
    contestants: Sequence[Contestant],
    files: Mapping[str, Path],
    judge: FileJudge,
    config: DetectConfig | None,
    progress: Progress | None,
) -> None:
    """Let the bundles search the slides that have ground truth."""
    bundles = [one for one in contestants if one.bundle is not None]
    wanted = {stem(slide.name) for slide in judge.truth}
    there = {image: path for image, path in files.items() if image in wanted}
    if bundles and not there:
        what = "none of the slides has ground truth" if files else "a bundle needs slides to search"
        raise ConfigError(what, where=bundles[0].name, mend="give --slides with images that --truth names")
    for place, one in enumerate(bundles):

        def report(done: float, total: float, place: int = place) -> None:
            if progress is not None:
                progress(place * total + done, len(bundles) * total)

        search(one, there, _configured(judge, config), report)


def _configured(judge: FileJudge, config: DetectConfig | None) -> DetectConfig:
    """Return how to search: with the resolution that the judgement is told, where the search is told none."""
    own = config or DetectConfig()
    if own.mpp is not None or judge.mpp is None:
        return own
    return own.model_copy(update={"mpp": judge.mpp.x, "mpp_override": judge.mpp_override})


def _choose(
    contestants: Sequence[Contestant],
    calibration: CalibrationSet,
    config: DetectConfig | None,
    progress: Progress | None,
) -> dict[str, ChosenThreshold]:
    """Choose the threshold of each on the calibration set."""
    judge, chosen = calibration.judge, {}
    files = slides_by_stem(calibration.slides)
    for one in contestants:
        path = calibration.results.get(one.name)
        if path is None:
            there = replace(one, path=one.path / _CALIBRATION, failures={})
            _search([there], files, judge, config, progress)
            path = there.path
        judged = judge.judge(path, threshold=0.0)
        chosen[one.name] = choose_threshold(judged.total_steps)
    return chosen


def _entry(
    one: Contestant,
    judge: FileJudge,
    same: SameSlides,
    *,
    stated: Stated,
    threshold: float | ChosenThreshold | None,
    repeats: int,
    seed: int,
) -> Entry:
    judged = judge_entry(
        same,
        one.name,
        protocol=judge.protocol,
        threshold=threshold,
        mpp=judge.mpp,
        mpp_override=judge.mpp_override,
        repeats=repeats,
        seed=seed,
    )
    results = read_results(one.path) if stated.hashes else {}  # tables have no tissue
    return Entry(
        one.name,
        judged,
        "results" if one.bundle is None else "bundle",
        stated.detector,
        stated.version,
        stated.fingerprint,
        stated.licence,
        stated.threshold_source,
        stated.cost,
        {image: result.tissue for image, result in results.items() if result.tissue is not None},
    )


def _strata(
    judge: FileJudge, wanted: Sequence[str], entries: Sequence[Entry], same: SameSlides
) -> tuple[Strata, ...]:
    """Return the strata that are asked for and those that the ground truth states itself."""
    asked = [one for text in wanted for one in judge.read_strata(text)]
    known = {tuple(sorted(one.stratum_of.items())) for one in asked}
    further = [one for one in stated_strata(judge) if tuple(sorted(one.stratum_of.items())) not in known]
    found = [strata_of_images(entries, one.stratum_of, by=one.by) for one in (*asked, *further)]
    fields = strata_of_fields(entries, same.found, same.truth)
    return (*found, fields) if fields is not None else tuple(found)


def _notes(
    contestants: Sequence[Contestant],
    entries: Sequence[Entry],
    same: SameSlides,
    missing: Missing,
    files: Mapping[str, Path],
) -> list[str]:
    """Write what a reader must know beside the numbers."""
    notes = []
    what = "their figures count as missed there" if missing is Missing.MISS else "judged for none"
    for names, images in _by_value(same.not_searched):
        notes.append(f"{_listed(images)}: not searched by {', '.join(names)}, {what}")
    for names, images in _by_value(same.without_truth):
        notes.append(f"{_listed(images)}: no ground truth, not judged (searched by {', '.join(names)})")
    known = {stem(slide.name) for slide in same.truth} | same.not_searched.keys() | same.without_truth.keys()
    strange = sorted(files.keys() - known)
    notes += [f"{_listed(strange)}: no ground truth, not searched"] if strange else []
    for one in contestants:
        notes += [f"{one.name}: {reason}" for reason in one.failures.values()]
    notes += [f"{_listed(same.parts)}: judged within the part that all searched"] if same.parts else []
    for entry in entries:
        judged = entry.judged
        if judged.chosen_threshold is None and judged.threshold_source.startswith("default"):
            notes.append(f"{entry.name} states no threshold: all its detections count; --threshold sets one")
        if judged.duplicates:
            notes.append(
                f"{entry.name}: {say_number(judged.duplicates, 'detection')} exactly on another, each judged"
            )
        if not any(len(found) for found in same.found[entry.name].values()):
            notes.append(f"{entry.name} found nothing on any image")
    kinds = {entry.name: _classes(same.found[entry.name]) for entry in entries}
    if len(set(kinds.values())) > 1:
        said = "; ".join(f"{name}: {', '.join(sorted(found)) or 'none'}" for name, found in kinds.items())
        notes.append(f"classes differ ({said}): whatever is a mitotic figure is judged as one")
    if len(entries[0].judged.case_scores) == 1:
        notes.append("a single case: no intervals, and no difference can be called sure")
    return notes


def _by_value(of: Mapping[str, tuple[str, ...]]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Return the values of a mapping, each with the keys that have it."""
    return [(value, [key for key in of if of[key] == value]) for value in dict.fromkeys(of.values())]


def _listed(names: Sequence[str]) -> str:
    """Return names, and how many more there are: the scoreboard lists all."""
    more = len(names) - _NAMES_MAX
    return ", ".join(names[:_NAMES_MAX]) + (f" and {more} more" if more > 0 else "")


def _classes(found: Mapping[str, Detections]) -> frozenset[str]:
    return frozenset(str(name) for one in found.values() for name in set(one.label.tolist()))
