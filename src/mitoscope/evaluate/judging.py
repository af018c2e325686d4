"""Judging files: results in any format against ground truth in any form."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, get_args

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError, TruthError
from mitoscope.evaluate.evaluate import evaluate, listed
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.protocols import MITOSCOPE, Protocol
from mitoscope.evaluate.thresholds import choose_threshold
from mitoscope.exchange import (
    COLUMN_NAMES,
    BoxLayout,
    ReadOptions,
    parse_reference,
    read_any_predictions,
    read_ground_truth,
    read_table,
)
from mitoscope.geometry import Mpp
from mitoscope.image_names import stem
from mitoscope.labels import LabelMapping
from mitoscope.statistics import Interval, Score
from mitoscope.truth import GroundTruth, Policy, SlideTruth, TrueCells

GroupBy = Literal["slide", "case", "domain", "scanner", "species", "laboratory"]
NOT_STATED = "not stated"
"""Group of an image of which the ground truth says nothing."""


@dataclass(frozen=True)
class FileJudge:
    """Ground truth from a file or a study, and the rule by which files of results are judged against it.

    Parameters
    ----------
    reference : str or Path
        A file of any format, ``study.mito``, ``study.mito@MEL`` or ``study.mito@MEL@2``.
    protocol : Protocol
        The matching rule.
    policy : Policy, optional
        How the labels of several raters become one; a version has its own.
    mapping : LabelMapping
        What class names stand for, in results and ground truth alike.
    domains : Path, optional
        Table of domains, which completes what the ground truth says of its images.
    side : str, optional
        Judge one side of the split alone: ``train``, ``validation`` or ``test``.
    examined : str, optional
        What was looked at on every slide: ``whole``, ``tumour`` or ``regions``.
    boxes : BoxLayout, optional
        How COCO files state their boxes, where they do not tell themselves.
    mpp : Mpp, optional
        Resolution of images of which neither results nor ground truth state it.
    mpp_override : bool
        Let it replace what they state.
    """

    reference: str | Path
    protocol: Protocol = MITOSCOPE
    policy: Policy | None = None
    mapping: LabelMapping = field(default_factory=LabelMapping)
    domains: Path | None = None
    side: str | None = None
    examined: str | None = None
    boxes: BoxLayout | None = None
    mpp: Mpp | None = None
    mpp_override: bool = False

    @cached_property
    def truth(self) -> GroundTruth:
        """The ground truth, read once; of the side that is judged, or with a note that all sides are.

        Raises
        ------
        FormatError, StoreError, TruthError, ScaleError, UnknownLabelError
            If it cannot be read or contradicts itself.
        """
        if self.side is not None:
            return self._all_sides.on(self.side)
        sides = ", ".join(f"{side} {slides}" for side, slides in self._all_sides.sides().items())
        note = (f"all sides of the split are judged ({sides})",) if sides else ()
        return replace(self._all_sides, notes=(*self._all_sides.notes, *note))

    @cached_property
    def _all_sides(self) -> GroundTruth:
        return read_ground_truth(
            self.reference,
            policy=self.policy,
            mapping=self.mapping,
            options=ReadOptions(mpp=self.mpp, boxes=self.boxes),
            domains=self.domains,
            examined=self.examined,
        )

    def judge(self, pred: Path, *, threshold: float | None = None) -> Evaluation:
        """Judge results at a threshold, by default that which each of them states.

        Raises
        ------
        FormatError, UnknownLabelError
            If the results cannot be read.
        ScaleError, NotExaminedError, ConfigError
            As `evaluate`.
        """
        return evaluate(
            self.read_detections(pred),
            self.truth,
            protocol=self.protocol,
            threshold=threshold,
            mpp=self.mpp,
            mpp_override=self.mpp_override,
        )

    def judge_at_best(self, pred: Path) -> Evaluation:
        """Judge results at the threshold that suits them best on the same images; the result says so."""
        judged = self.judge(pred)
        return judged.at(choose_threshold(judged.total_steps, chosen_on="test set"))

    def judge_as_on(self, pred: Path, validation_pred: Path, validation: FileJudge) -> Evaluation:
        """Judge results at the threshold of greatest F1 on a validation set.

        Where that is the same ground truth, of which one side is judged, it is the validation side.
        """
        if self.side is not None and str(validation.reference) == str(self.reference):
            validation = replace(validation, side="validation")
        return self.judge(pred).at(choose_threshold(validation.judge(validation_pred).total_steps))

    def read_strata(self, text: str) -> tuple[Stratification, ...]:
        """Read which stratum each image belongs to.

        Parameters
        ----------
        text : str
            A CSV file with the column ``image`` and one or more others, each of which parts the images in its
            own way; a column of the ground truth, where that is a CSV file; or, as for groups, ``case``,
            ``domain``, ``scanner``, ``species`` or ``laboratory``.

        Raises
        ------
        ConfigError
            If it is none of these.
        FormatError
            If the table names an image that the ground truth does not have, an image has two strata, or a
            judged one none.
        """
        path, table = Path(text), parse_reference(self.reference)[0]
        if path.is_file():
            stratifications = _strata_of(path, None)
        elif (column := text.strip().casefold()) in get_args(GroupBy):
            stratifications = (Stratification(column, group_of(self.truth, parse_group(column)), table),)
        elif table.suffix.casefold() == ".csv":
            stratifications = _strata_of(table, column)
        else:
            groups = ", ".join(get_args(GroupBy))
            raise ConfigError(
                f"no file {text!r}, and no group of that name",
                where="--strata",
                mend=f"give a CSV with the columns image and stratum, or one of: {groups}",
            )
        known = {stem(name) for name in self._all_sides.by_name}
        judged = [stem(name) for name in self.truth.by_name]
        for stratification in stratifications:
            stratification.check(judged, known=known)
        return stratifications

    def read_kinds(self, path: Path) -> dict[str, TrueCells]:
        """Read a list of cells that are no figures and of what kind each is, by the stem of the image's name.

        Parameters
        ----------
        path : Path
            CSV with the columns ``image``, ``x``, ``y`` (level-0 px, centre) and ``kind``; rows without a
            kind say nothing.

        Raises
        ------
        FormatError
            If it is no such table, or names none of the images.
        """
        rows: dict[str, list[tuple[float, float, str]]] = {}
        for row in read_table(path, needed=("image", "x", "y", "kind"), names=_IMAGE_COLUMNS).rows:
            if kind := row.text("kind"):
                place = (row.coordinate("x"), row.coordinate("y"), kind)
                rows.setdefault(stem(row.text("image")), []).append(place)
        if rows and not rows.keys() & {stem(name) for name in self._all_sides.by_name}:
            raise FormatError(
                f"it names kinds on {listed(rows)}, none of which is in the ground truth",
                where=path,
                mend="use the same image names in both",
            )
        return {
            image: TrueCells.of([(x, y) for x, y, _ in cells], [kind for _, _, kind in cells])
            for image, cells in rows.items()
        }

    def read_detections(self, pred: Path) -> dict[str, Detections]:
        """Read results by the stem of the image's name.

        Parameters
        ----------
        pred : Path
            A folder that `detect` wrote, a manifest, a CSV of one or many images, a COCO list of results, or
            a file of any format.

        Raises
        ------
        FormatError
            If they cannot be read.
        UnknownLabelError
            If a class name is not known.
        TruthError
            If none of them is of the side that is judged.
        """
        names = parse_reference(self.reference)[0]
        options = ReadOptions(mpp=self.mpp, boxes=self.boxes)
        detections = read_any_predictions(pred, mapping=self.mapping, options=options, names=names)
        if self.side is None:
            return detections
        elsewhere = {stem(name) for name in self._all_sides.by_name.keys() - self.truth.by_name.keys()}
        judged = {name: each for name, each in detections.items() if name not in elsewhere}
        if detections and not judged:
            raise TruthError(
                f"no image is of the side {self.side!r} of the split",
                where=pred,
                mend="give results of that side, or another --split",
            )
        return judged


@dataclass(frozen=True)
class Stratification:
    """One way to part images into strata.

    Attributes
    ----------
    by : str
        What tells the strata apart: the name of a column.
    stratum_of : dict of str to str
        Stem of the image's name → stratum.
    path : Path
        Where that is stated.
    """

    by: str
    stratum_of: dict[str, str]
    path: Path

    def check(self, judged: Collection[str], *, known: Collection[str]) -> None:
        """Refuse strata of images that there are not, and judged images without a stratum.

        Parameters
        ----------
        judged : collection of str
            Stems of the images that are judged.
        known : collection of str
            Those of all images of the ground truth, whichever side of the split they are on.

        Raises
        ------
        FormatError
        """
        strange = [image for image in self.stratum_of if image not in known]
        if strange:
            raise FormatError(
                f"no image {listed(strange)} in the ground truth, the strata name it",
                where=self.path,
                mend="correct the column image, or remove the rows",
            )
        without = [image for image in judged if self.stratum_of.get(image, NOT_STATED) == NOT_STATED]
        if without:
            raise FormatError(
                f"no {self.by} is stated for {listed(without)}",
                where=self.path,
                mend="give every judged image a stratum",
            )


def _strata_of(path: Path, column: str | None) -> tuple[Stratification, ...]:
    """Return what the columns of a table say of images: all but ``image``, or the one that is asked for."""
    table = read_table(path, needed=("image",) if column is None else (), names=_IMAGE_COLUMNS)
    columns = [name for name in table.columns if name and name != "image"]
    if column is not None and (column not in columns or "image" not in table.columns):
        raise ConfigError(
            f"no file and no column {column!r}",
            where=path,
            mend="give --strata a CSV with the columns image and stratum, or the name of a column",
        )
    if not columns or not table.rows:
        raise FormatError(
            "states no stratum", where=path, mend="one row per image, with the columns image and stratum"
        )
    found = []
    for name in [column] if column else columns:
        stratum_of: dict[str, str] = {}
        for row in table.rows:
            image, stratum = stem(row.text("image")), row.text(name)
            if stratum and stratum_of.setdefault(image, stratum) != stratum:
                raise FormatError(
                    f"the image {image!r} is in two strata, {stratum_of[image]!r} and {stratum!r}",
                    where=f"{row.where}, column {name}",
                    mend="keep one",
                )
        found.append(Stratification(name, stratum_of, path))
    return tuple(found)


_IMAGE_COLUMNS: Final = {name: column for name, column in COLUMN_NAMES.items() if column == "image"}
"""Other names of the column of images; the other columns are the user's."""


def parse_group(text: str) -> GroupBy:
    """Read what images are grouped by.

    Raises
    ------
    ConfigError
        Naming what there is.
    """
    for known in get_args(GroupBy):
        if text.strip().casefold() == known:
            return known  # type: ignore[no-any-return]
    raise ConfigError(f"no group {text!r}", where="--by", mend=f"one of: {', '.join(get_args(GroupBy))}")


def group_of(truth: GroundTruth, by: GroupBy) -> dict[str, str]:
    """Return the group of each image by the stem of its name.

    Parameters
    ----------
    truth : GroundTruth
    by : str
        ``domain`` is the tumour type. An image without a stated case is its own case; one without another
        statement is in the group "not stated".

    Raises
    ------
    FormatError
        If nothing is stated for any image.
    """
    stated = {stem(slide.name): _stated(slide, by) for slide in truth}
    if not any(stated.values()):
        raise FormatError(
            f"no {by} is stated for any image",
            where=truth.source,
            mend=f"add a column {by} to the table, or give a table with --domains",
        )
    return {image: group or NOT_STATED for image, group in stated.items()}


def _stated(slide: SlideTruth, by: GroupBy) -> str | None:
    if by == "slide":
        return stem(slide.name)
    if by == "case":
        return slide.case
    domain = slide.domain
    return {
        "domain": domain.tumour_type,
        "scanner": domain.scanner,
        "species": domain.species,
        "laboratory": domain.laboratory,
    }[by]


@dataclass(frozen=True)
class GroupScore:
    """A group of images, its score and the interval of its F1."""

    name: str
    score: Score
    interval: Interval | None
    images: int


def group_scores(evaluation: Evaluation, group_of: Mapping[str, str]) -> tuple[GroupScore, ...]:
    """Return the groups of an evaluation's images with their intervals, for a table or a figure."""
    intervals = evaluation.intervals_by(group_of)
    sizes = {name: sum(group_of[image] == name for image in evaluation.images) for name in intervals}
    return tuple(
        GroupScore(name, score, intervals[name].f1, sizes[name])
        for name, score in evaluation.by(group_of).items()
    )
