"""What declares a training experiment: its sets of slides, its arms, its columns, what is published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from mitoscope.config import Config, read_toml
from mitoscope.data.sources import AnnotatedSlides, OpenData
from mitoscope.evaluate import PROTOCOLS
from mitoscope.experiments.published import PublishedTable, published
from mitoscope.truth import CROWD_THRESHOLD

Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]
Measure = Literal["points", "cells", "tiles"]
"""What is judged: places by a protocol, the class of labelled cells, or tiles with and without a figure."""
ChartKind = Literal["bars", "matrix", "curve", "rates", "precision-recall", "training", "none"]
_SCORES: Final[dict[Measure, str]] = {
    "points": r"(proposals|verified)/.+/(f1|precision|recall|max-f1|ap|mean-f1|sd-f1|cases|slides|figures)",
    "cells": r"accuracy|(precision|recall|f1|auc|cells)/.+|.+>.+",
    "tiles": r".+/(auc|sub-tiles|positive|(tpr|fpr|precision|f1)(@0?\.\d+)?)",
}
"""Names of scores of each measure."""
RATES: Final = ("tpr", "fpr", "precision", "f1")
"""Measures of tiles that depend on a threshold."""
Threshold = Literal["own", "target"] | Annotated[float, Field(ge=0, lt=1)]


class SetDeclaration(Config):
    """Slides with labels, and which of them only test.

    Parameters
    ----------
    labels, slides, format, slide_mpp, domains, title, licence, attribution
        See `AnnotatedSlides`; below the data folder.
    images : str
        Files of the images below the folder of slides, with ``*``; all of them belong to the set then: one
        that the labels do not name holds no figure.
    case_of : str
        Regular expression; its group is the case that a slide's name states.
    cases : tuple of str
        Of these cases alone.
    ambiguous_as : str
        Class that cells get which the experts disputed, or called ambiguous; without it they are left out.
    least_agreement : float
        Of a crowd in a study, for its label to count; 0 takes every box that two of its reviewers drew.
    areas : str
        File, with ``*``, of rectangles that an expert drew where figures are densest, one a slide.
    look_alikes : str
        Labels of look-alikes, of the same format, where a file of their own holds them.
    test : tuple of str
        Names of the test slides, without suffix, or
    test_cases : tuple of str
        the cases that test, or
    by_table : bool
        the split that the table of domains states, or
    every_nth : int
        the slides of every so many cases test, or
    only_tests : bool
        none is trained on, or
    only_trains : bool
        none tests.
    unlabelled : bool
        All slides of the folder, without labels: they are mined.
    open_data : bool
        The openly licensed pictures (``open-data`` of recipes), by laboratory: none of them tests.
    """

    labels: str = ""
    slides: str = "."
    format: str | None = None
    slide_mpp: Annotated[float, Field(gt=0)] | None = None
    domains: str | None = None
    title: str = "own slides"
    licence: str = "not stated"
    attribution: str = "not stated"
    images: str = ""
    case_of: str = ""
    cases: tuple[str, ...] = ()
    ambiguous_as: str = ""
    least_agreement: Annotated[float, Field(ge=0, le=1)] = CROWD_THRESHOLD
    areas: str = ""
    look_alikes: str = ""
    test: tuple[str, ...] = ()
    test_cases: tuple[str, ...] = ()
    by_table: bool = False
    every_nth: Count = 0
    only_tests: bool = False
    only_trains: bool = False
    unlabelled: bool = False
    open_data: bool = False

    @model_validator(mode="after")
    def _one_split(self) -> Self:
        named = (bool(self.test), bool(self.test_cases), bool(self.every_nth))
        whole = (self.by_table, self.only_tests, self.only_trains, self.unlabelled, self.open_data)
        if sum((*named, *whole)) != 1:
            names = "test, test_cases, by_table, every_nth, only_tests, only_trains, unlabelled or open_data"
            raise ValueError(f"{names}: exactly one of them")
        if (self.unlabelled or self.open_data) == bool(self.labels):
            raise ValueError("labels, unlabelled or open_data: exactly one of them")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Files and folders that it takes, below the data folder."""
        own = () if self.open_data else (self.labels, self.look_alikes, self.areas, self.domains, self.slides)
        return tuple(path for path in own if path)

    @property
    def source(self) -> AnnotatedSlides | OpenData:
        """As a source of training."""
        if self.open_data:
            return OpenData(kind="open-data")
        known = AnnotatedSlides.model_fields.keys() & type(self).model_fields.keys()
        return AnnotatedSlides(kind="annotated-slides", **{key: getattr(self, key) for key in known})


class Arm(Config):
    """One row: on what a network is trained, how, and on what it is tested.

    Parameters
    ----------
    name : str
        Of the row.
    sets : tuple of str
        Trained on the slides of these sets that do not test.
    tests : tuple of str
        Tested on the test slides of these sets; by default those of `sets`.
    recipe : str
        File beside the folder of experiments.
    changes : tuple of str
        ``key=value`` each, of the recipe.
    domains, without : tuple of str
        Trained on these domains alone, or on all but these.
    cases : tuple of str
        Trained on these cases alone.
    cases_max : int
        Trained on so many cases, each number holding all smaller ones; 0 on all.
    fields : int
        Trained on so many high-power fields of each slide, around the area that an expert chose, or else
        where figures are densest; 0 on all of it.
    begin_with : str, optional
        Arm whose network it begins with.
    trained : bool
        Without training the network of `begin_with` is tested as it is.
    threshold : {"own", "target"} or float
        That of the network, one chosen on the slides of `tests` that do not test, or a fixed one.
    thresholds : tuple of float
        Of tiles: a row at each, ``NAME at 0.2``.
    best_of_networks : bool
        With threshold = "target": one network, the best on the slides that choose its threshold.
    unlabelled : tuple of str
        Sets without labels; figures mined on their slides are learnt from too (self-training).
    mined_by : str, optional
        Arm whose network mines.
    mined : int
        Windows of a batch with a mined figure.
    missing : str
        Why it is not run; its row then shows what is published.
    """

    name: Name
    sets: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    recipe: str = ""
    changes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    cases_max: Count = 0
    fields: Count = 0
    begin_with: str | None = None
    trained: bool = True
    threshold: Threshold = "own"
    thresholds: tuple[float, ...] = ()
    best_of_networks: bool = False
    unlabelled: tuple[str, ...] = ()
    mined_by: str | None = None
    mined: Count = 6
    missing: str = ""

    @property
    def all_sets(self) -> frozenset[str]:
        """Sets that it is trained on, tested on or mines."""
        return frozenset((*self.sets, *self.tests, *self.unlabelled))

    @property
    def rows(self) -> tuple[tuple[str, float | None], ...]:
        """Names of its rows in the table, each with its threshold."""
        return tuple((f"{self.name} at {own:g}", own) for own in self.thresholds) or ((self.name, None),)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.missing and self.trained and not (self.recipe and self.sets):
            raise ValueError("an arm that is trained needs a recipe and sets")
        if not self.trained and self.begin_with is None:
            raise ValueError("an arm that is not trained needs begin_with")
        if self.best_of_networks and self.threshold != "target":
            raise ValueError('best_of_networks needs threshold = "target"')
        if bool(self.unlabelled) != (self.mined_by is not None):
            raise ValueError("unlabelled sets need mined_by, and mined_by needs them")
        return self


class ColumnDeclaration(Config):
    """A column and the score in it.

    Parameters
    ----------
    name : str
    score : str
        ``verified/all/f1`` (stage, group, measure), ``all/tpr@0.5``, ``accuracy``, ``recall/look-alike``;
        ``all/tpr`` at the threshold of the row.
    digits : int
    percent : bool
        In %.
    """

    name: Name
    score: Name
    digits: Count = 3
    percent: bool = False

    def at(self, threshold: float | None) -> str:
        """Return the name of the score in a row with a threshold."""
        of_rates = self.score.rpartition("/")[2] in RATES
        return f"{self.score}@{threshold:g}" if of_rates and threshold is not None else self.score

    @property
    def threshold(self) -> float | None:
        """The threshold that the score names."""
        measure, at, stated = self.score.rpartition("@")
        return float(stated) if at and measure else None


class PublishedValues(Config):
    """What a paper prints: a table that is held here, or figures of your own paper.

    Parameters
    ----------
    table : str
        Name of a published table, see `mitoscope.experiments.published`.
    source : str
        Paper and table.
    values : dict of str to dict
        By row and column: the figure, or the figure and its standard deviation.
    """

    table: str = ""
    source: str = ""
    values: dict[str, dict[str, float | tuple[float, float]]] = Field(default_factory=dict)

    @property
    def held(self) -> PublishedTable:
        """All figures."""
        if self.table:
            return published(self.table)
        pairs = {
            row: {
                column: value if isinstance(value, tuple) else (value, None) for column, value in own.items()
            }
            for row, own in self.values.items()
        }
        rows = {row: {column: value for column, (value, _) in own.items()} for row, own in pairs.items()}
        deviations = {
            row: {column: sd for column, (_, sd) in own.items() if sd is not None}
            for row, own in pairs.items()
        }
        return PublishedTable("", self.source, rows, deviations)


class Small(Config):
    """The size for a laptop.

    Parameters
    ----------
    sets : dict of str to SetDeclaration
    arms : tuple of Arm
    columns : tuple of ColumnDeclaration
    repeats, folds : int
    notes : tuple of str
    """

    sets: dict[str, SetDeclaration]
    arms: tuple[Arm, ...]
    columns: tuple[ColumnDeclaration, ...]
    notes: tuple[str, ...] = ()
    repeats: Annotated[int, Field(ge=1)] = 1
    folds: Count = 0


class Declaration(Config):
    """A training experiment.

    Parameters
    ----------
    paper, shows, needs, heading : str
        See `Experiment`; the heading is that of the rows.
    measure : {"points", "cells", "tiles"}
    protocol : str
        Matching rule of points.
    repeats : int
        Networks of each arm, with other seeds.
    folds : int
        Networks of each arm, with another part of the cases held out; those of MIDOG++.
    chart : {"bars", "matrix", "curve", "rates", "precision-recall", "training", "none"}
    columns, arms, sets
    small : Small, optional
    published : PublishedValues
    notes : tuple of str
    """

    paper: str
    shows: str
    needs: str
    heading: str = "trained on"
    measure: Measure = "points"
    protocol: str = "mitoscope"
    repeats: Annotated[int, Field(ge=1)] = 1
    folds: Count = 0
    chart: ChartKind = "bars"
    columns: Annotated[tuple[ColumnDeclaration, ...], Field(min_length=1)]
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)]
    sets: dict[str, SetDeclaration]
    small: Small | None = None
    published: PublishedValues = PublishedValues()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _scores_are_known(self) -> Self:
        for column in self.columns:
            if not re.fullmatch(_SCORES[self.measure], column.score):
                raise ValueError(f"no score {column.score!r} is measured of {self.measure}")
            lacking = [arm.name for arm in self.arms if not (arm.thresholds or arm.missing)]
            if self.measure == "tiles" and lacking and column.at(0.5) != column.score:
                raise ValueError(
                    f"score {column.score!r} needs thresholds in arm {lacking[0]!r}, or one: @0.5"
                )
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"protocol {self.protocol!r} is not one of {', '.join(PROTOCOLS)}")
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError("two arms of one name")
        for place, arm in enumerate(self.arms):
            if missing := arm.all_sets - set(self.sets):
                raise ValueError(f"arm {arm.name!r}: no set {min(missing)!r}")
            labelled, mined = {*arm.sets, *arm.tests}, set(arm.unlabelled)
            without = {name for name in arm.all_sets if self.sets[name].unlabelled}
            if labelled & without or mined - without:
                raise ValueError(f"arm {arm.name!r}: sets without labels are mined, and they alone")
            for other in (arm.begin_with, arm.mined_by):
                if other is not None and other not in names[:place]:
                    raise ValueError(f"arm {arm.name!r} builds on {other!r}, which is no arm before it")
        columns = {column.name for column in self.columns}
        rows = {row for arm in self.arms for row, _ in arm.rows}
        for row, values in self.published.held.rows.items():
            if row not in rows or set(values) - columns:
                raise ValueError(f"published row {row!r} names an arm or a column that is not there")
        return self


def read_declaration(path: Path) -> dict[str, Any]:
    """Read the file of an experiment; what it does not state it takes from the file that ``base`` names.

    Raises
    ------
    ConfigError
        If a file is missing or is not TOML.
    """
    values = read_toml(path)
    base = values.pop("base", None)
    return values if base is None else read_declaration(path.parent / str(base)) | values
