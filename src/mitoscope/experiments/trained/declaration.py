"""What declares a training experiment: its sets of slides, its arms, its columns, what is published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mitoscope.config import Config, read_toml
from mitoscope.data.sources import AnnotatedSlides, OpenData
from mitoscope.evaluate import PROTOCOLS

Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]
Measure = Literal["points", "cells", "tiles"]
"""What is judged: places by a protocol, the class of labelled cells, or tiles with and without a figure."""
ChartKind = Literal["bars", "matrix", "curve", "precision-recall", "training", "none"]
Threshold = Literal["own", "target"] | Annotated[float, Field(ge=0, lt=1)]


class SetDeclaration(Config):
    """Slides with labels, and which of them only test.

    Parameters
    ----------
    labels, slides, format, slide_mpp, domains, title, licence, attribution
        See `AnnotatedSlides`; below the data folder.
    test : tuple of str
        Names of the test slides, without suffix, or
    by_table : bool
        the split that the table of domains states, or
    every_nth : int
        every so many slides test.
    only_tests : bool
        None is trained on.
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
    test: tuple[str, ...] = ()
    by_table: bool = False
    every_nth: Count = 0
    only_tests: bool = False
    unlabelled: bool = False
    open_data: bool = False

    @model_validator(mode="after")
    def _one_split(self) -> Self:
        splits = (bool(self.test), self.by_table, bool(self.every_nth), self.only_tests)
        if sum((*splits, self.unlabelled, self.open_data)) != 1:
            names = "test, by_table, every_nth, only_tests, unlabelled or open_data"
            raise ValueError(f"{names}: exactly one of them")
        if (self.unlabelled or self.open_data) == bool(self.labels):
            raise ValueError("labels, unlabelled or open_data: exactly one of them")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Files and folders that it takes, below the data folder."""
        own = () if self.open_data else (self.labels, self.domains, self.slides)
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
    slides : int
        Trained on so many slides, each number holding all smaller ones; 0 on all.
    fields : int
        Trained on so many high-power fields of each slide, where figures are densest; 0 on all of it.
    begin_with : str, optional
        Arm whose network it begins with.
    trained : bool
        Without training the network of `begin_with` is tested as it is.
    threshold : {"own", "target"} or float
        That of the network, one chosen on the slides of `tests` that do not test, or a fixed one.
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
    slides: Count = 0
    fields: Count = 0
    begin_with: str | None = None
    trained: bool = True
    threshold: Threshold = "own"
    unlabelled: tuple[str, ...] = ()
    mined_by: str | None = None
    mined: Count = 6
    missing: str = ""

    @property
    def all_sets(self) -> frozenset[str]:
        """Sets that it is trained on, tested on or mines."""
        return frozenset((*self.sets, *self.tests, *self.unlabelled))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.missing and self.trained and not (self.recipe and self.sets):
            raise ValueError("an arm that is trained needs a recipe and sets")
        if not self.trained and self.begin_with is None:
            raise ValueError("an arm that is not trained needs begin_with")
        if bool(self.unlabelled) != (self.mined_by is not None):
            raise ValueError("unlabelled sets need mined_by, and mined_by needs them")
        return self


class ColumnDeclaration(Config):
    """A column and the score in it.

    Parameters
    ----------
    name : str
    score : str
        ``verified/all/f1`` (stage, group, measure), ``all/tpr@0.5``, ``accuracy``, ``recall/look-alike``.
    digits : int
    """

    name: Name
    score: Name
    digits: Count = 3


class PublishedValues(Config):
    """What a paper prints.

    Parameters
    ----------
    source : str
        Paper and table.
    values : dict of str to dict
        By row and column: the figure, or the figure and its standard deviation.
    """

    source: str = ""
    values: dict[str, dict[str, float | tuple[float, float]]] = Field(default_factory=dict)


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
    chart : {"bars", "matrix", "curve", "precision-recall", "training", "none"}
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
        for row, values in self.published.values.items():
            if row not in names or set(values) - columns:
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
