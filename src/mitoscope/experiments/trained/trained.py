"""A declared experiment as cells: a network of each arm and member, tested on the slides that only test."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from mitoscope.bundle import Bundle
from mitoscope.data.field import Field
from mitoscope.data.split import split_by_case
from mitoscope.errors import ConfigError, TrainingDataError
from mitoscope.evaluate.averages import Average
from mitoscope.evaluate.subsets import nested_subsets
from mitoscope.experiments.chart import Bars, Chart, Curves, Matrix
from mitoscope.experiments.experiment import Cell, Desk, Plan, Result, Size
from mitoscope.experiments.table import Column, Entry, Table, rows_of
from mitoscope.experiments.trained.curves import (
    error_while_training,
    precision_recall_chart,
    training_chart,
)
from mitoscope.experiments.trained.declaration import Arm, Declaration, read_toml
from mitoscope.experiments.trained.judging import Bench, judge_cells, judge_points, judge_tile_rates, score_of
from mitoscope.experiments.trained.mined import mined_fields
from mitoscope.experiments.trained.networks import NETWORKS, Lesson, learn
from mitoscope.experiments.trained.open_fields import open_fields
from mitoscope.experiments.trained.part_field import densest_part
from mitoscope.experiments.trained.slides import SlideSet, check_there, domain_of, read_set
from mitoscope.experiments.trained.smoke import shrink, smoke_declaration, smoke_sets
from mitoscope.truth.splits import MIDOGPP_SEED, MIDOGPP_STRATA, folds_by_case

SEED: Final = 2018
TILE_THRESHOLDS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class Member:
    """One of the networks of an arm: which seed, which fold."""

    name: str
    seed: int
    fold: int | None


@dataclass(frozen=True, slots=True)
class Trained:
    """An experiment that a file declares.

    Parameters
    ----------
    name : str
        Of the file.
    declaration : Declaration
    """

    name: str
    declaration: Declaration

    @property
    def paper(self) -> str:
        """Whose it is."""
        return self.declaration.paper

    @property
    def shows(self) -> str:
        """What it shows."""
        return self.declaration.shows

    @property
    def needs(self) -> str:
        """The data of the full size."""
        return self.declaration.needs

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Smoke, full, and small where the file declares it."""
        small = () if self.declaration.small is None else (Size.SMALL,)
        return (Size.FULL, *small, Size.SMOKE)

    @property
    def trains(self) -> bool:
        """Networks are trained."""
        return True

    def at(self, size: Size) -> Declaration:
        """Return the declaration at a size."""
        own = self.declaration
        if size is Size.SMOKE:
            return smoke_declaration(own)
        if size is Size.SMALL and own.small is not None:
            changes = {name: getattr(own.small, name) for name in type(own.small).model_fields}
            return own.model_copy(update=changes)
        return own

    def plan(self, desk: Desk) -> Plan:
        """Read the sets and return a cell for each network.

        Raises
        ------
        TrainingDataError
            If slides are missing or stand twice.
        ConfigError
            If a recipe does not hold what it must, or the machine has no such device.
        """
        own = self.at(desk.size)
        used = {name for arm in own.arms if not arm.missing for name in arm.all_sets}
        if desk.size is Size.SMOKE:
            sets = smoke_sets(own, desk.out)
        else:
            wanted = {name: one for name, one in own.sets.items() if name in used}
            check_there(wanted.values(), desk.data)
            sets = {name: read_set(name, one, desk.data) for name, one in wanted.items()}
        builder = Builder(own, desk, sets)
        builder.check_device()
        cells = [
            Cell(
                f"{_key(arm.name)}.{member.name}",
                builder.fingerprint(arm),
                (member.seed,),
                _computation(builder, arm, member),
            )
            for member in members(own)
            for arm in own.arms
            if not arm.missing
        ]
        data = hashlib.sha256("".join(f"{name} {sets[name].sha256}\n" for name in sorted(sets)).encode())
        return Plan(tuple(cells[: desk.cells_max or None]), data.hexdigest())

    def table(self, results: Mapping[str, Result], size: Size) -> Table:
        """Return the table: mean ± standard deviation over the networks of each arm."""
        own = self.at(size)
        columns = tuple(Column(one.name, one.digits) for one in own.columns)
        score_named = {one.name: one.score for one in own.columns}
        arm_named = {arm.name: arm for arm in own.arms}

        def entry(row: str, column: str) -> Entry:
            average = _average(own, arm_named[row], score_named[column], results)
            published = own.published.values.get(row, {}).get(column)
            value, sd = published if isinstance(published, tuple) else (published, None)
            found = Entry(average.mean, average.sd, value, sd)
            return replace(found, note=arm_named[row].missing and f"not run: {arm_named[row].missing}")

        runs = len(members(own))
        notes = (f"Mean ± standard deviation of {runs} networks.",) if runs > 1 else ()
        judged = (f"Judged under the protocol {own.protocol}.",) if own.measure == "points" else ()
        rows = rows_of(list(arm_named), columns, entry)
        published = any(one.published is not None for row in rows for one in row.entries)
        return Table(
            f"{own.paper} {own.shows}",
            own.heading,
            columns,
            rows,
            published_in=own.published.source if published else "",
            notes=(*notes, *judged, *own.notes),
        )

    def chart(self, results: Mapping[str, Result], size: Size) -> Chart | None:
        """Return the table as bars, a matrix of domains or a curve over slides, or the curves of each arm."""
        table, own = self.table(results, size), self.at(size)
        match own.chart:
            case "bars":
                return _bars(table)
            case "matrix":
                return _matrix(table)
            case "curve":
                return _curve(table, self.declaration if size is Size.SMOKE else own)
            case "precision-recall":
                return precision_recall_chart(own, _by_arm(own, results))
            case "training":
                return training_chart(own, _by_arm(own, results))
        return None


@dataclass(frozen=True, eq=False)
class Builder:
    """Makes the networks of a declaration and tests them.

    Parameters
    ----------
    declaration : Declaration
    desk : Desk
    sets : mapping of str to SlideSet
    """

    declaration: Declaration
    desk: Desk
    sets: Mapping[str, SlideSet]

    def check_device(self) -> None:
        """Refuse a GPU that is not there, before anything is computed.

        Raises
        ------
        ConfigError
            If torch finds none.
        """
        from mitoscope.train.device import check_devices
        from mitoscope.train.recipe import RunRecipe

        check_devices(RunRecipe(device=self.desk.device))

    def arm(self, name: str) -> Arm:
        """Return an arm by its name."""
        return next(arm for arm in self.declaration.arms if arm.name == name)

    def recipe(self, arm: Arm, member: Member) -> Any:
        """Return the recipe of an arm, as a network of it is trained."""
        from mitoscope.train.recipe import read_recipe

        path = self.desk.recipes / arm.recipe
        run = (
            f"run.seed={member.seed}",
            f"run.device={self.desk.device}",
            f"run.threads={self.desk.threads}",
        )
        source = 'data.source={kind="annotated-slides", labels="labels.csv"}'
        changes = [source, *arm.changes, *run, "run.folds=0", "run.repeats=1"]
        if self.desk.size is Size.SMOKE:
            changes += shrink(path)
        if arm.unlabelled:
            changes.append(f"data.sampling.mined={1 if self.desk.size is Size.SMOKE else arm.mined}")
        return read_recipe(path, changes)

    def fingerprint(self, arm: Arm) -> str:
        """Return a hash of all settings of an arm, and of those that it begins with."""
        own = "" if not arm.trained else self.recipe(arm, Member("", SEED, None)).fingerprint()
        before = "".join(self.fingerprint(self.arm(name)) for name in (arm.begin_with, arm.mined_by) if name)
        rule = f"{self.declaration.measure} {self.declaration.protocol} {self.declaration.folds}"
        text = f"{arm.fingerprint()} {own} {before} {rule}"
        return hashlib.sha256(text.encode()).hexdigest()

    def network(self, arm: Arm, member: Member) -> Bundle:
        """Return the network of an arm, trained if need be."""
        before = None if arm.begin_with is None else self.network(self.arm(arm.begin_with), member)
        if not arm.trained:
            if before is None:  # refused when the file is read
                raise ConfigError("an arm that is not trained begins with none", where=arm.name)
            return before
        recipe = self.recipe(arm, member)
        if before is not None:
            recipe = _begin(recipe, before.folder)
        one, *others = (self.sets[name] for name in (*arm.sets, *arm.unlabelled))
        fields, held_out = self.fields(arm, member, mpp=_mpp(recipe))
        if arm.mined_by is not None:
            # The same cases judge as without mined slides, and no mined slide does.
            held_out = held_out or tuple(
                sorted({field.case for field in split_by_case(fields, recipe.data.split).validation})
            )
            detector = self.network(self.arm(arm.mined_by), member)
            for name in arm.unlabelled:
                fields += mined_fields(detector, self.sets[name], self.desk, mpp=_mpp(recipe))
        further = tuple(known for other in others for known in other.provenance())
        lesson = Lesson(recipe, fields, one.data, one.source, held_out, further)
        return learn(lesson, self.desk.out / NETWORKS / self.desk.size.value)

    def fields(self, arm: Arm, member: Member, *, mpp: float) -> tuple[list[Field], tuple[str, ...]]:
        """Return what an arm is trained on, and the cases that judge while it is.

        Raises
        ------
        TrainingDataError
            If nothing is left.
        """
        chosen = [
            (one, slide)
            for one in (self.sets[name] for name in arm.sets)
            for slide in one.slides(testing=False)
            if (not arm.domains or domain_of(slide, one.name) in arm.domains)
            and domain_of(slide, one.name) not in arm.without
        ]
        if arm.slides:
            kept = nested_subsets([slide.name for _, slide in chosen], [arm.slides])[arm.slides]
            chosen = [(one, slide) for one, slide in chosen if slide.name in kept]
        pictures = self._open_fields(arm)
        if not chosen and not pictures:
            raise TrainingDataError(
                "no slide to learn from", where=arm.name, mend="check its domains and sets"
            )
        whole = [one.field(slide, mpp=mpp) for one, slide in chosen]
        held_out = () if member.fold is None else self._held_out(whole, member.fold)
        if arm.fields:
            return [densest_part(field, fields=arm.fields) for field in whole], held_out
        return [*whole, *pictures], held_out

    def _open_fields(self, arm: Arm) -> list[Field]:
        """Return the openly licensed pictures of an arm, without cases of its test slides."""
        tests = [self.sets[name] for name in arm.tests]
        tested = [slide.name for one in tests for slide in one.slides(testing=True)]
        return [
            field
            for one in (self.sets[name] for name in arm.sets)
            if one.is_open
            for field in open_fields(one.data, only=arm.domains, without=arm.without, tested=tested)
        ]

    def _held_out(self, fields: list[Any], fold: int) -> tuple[str, ...]:
        """Return the cases of a fold, as MIDOG++ parts them."""
        cases = {field.name: field.case for field in fields}
        figures = {field.name: len(field.figures) for field in fields}
        folds = self.declaration.folds
        strata = 1 if self.desk.size is Size.SMOKE else MIDOGPP_STRATA
        fold_of = folds_by_case(cases, figures, folds=folds, strata=strata, seed=MIDOGPP_SEED)
        return tuple(sorted({cases[name] for name, own in fold_of.items() if own == fold}))

    def test(self, arm: Arm, bundle: Bundle) -> Result:
        """Test a network on the slides of an arm that only test."""
        own = self.declaration
        sets = [self.sets[name] for name in arm.tests or arm.sets]
        bench = Bench(own.protocol, self.desk.device, self.desk.threads, bundle.folder.parent / "detections")
        more: dict[str, Any] = {"bundle": bundle.fingerprint}
        match own.measure:
            case "points":
                points = judge_points(bundle, sets, bench, threshold=arm.threshold)
                scores = points.scores
                more |= {"thresholds": points.thresholds, "curves": points.curves}
                more["training"] = error_while_training(bundle)
            case "cells":
                scores = judge_cells(bundle, sets, threads=self.desk.threads)
            case _:
                scores = judge_tile_rates(bundle, sets, bench, thresholds=TILE_THRESHOLDS)
        return {"scores": scores, **more}


def members(declaration: Declaration) -> tuple[Member, ...]:
    """Return the networks of each arm: every fold with every seed."""
    seeds = range(SEED, SEED + declaration.repeats)
    if not declaration.folds:
        return tuple(Member(f"seed-{seed}", seed, None) for seed in seeds)
    return tuple(
        Member(f"fold-{fold + 1}.seed-{seed}", seed, fold)
        for fold in range(declaration.folds)
        for seed in seeds
    )


@cache
def read_declared(folder: Path) -> tuple[Trained, ...]:
    """Return the experiments that the files of a folder declare, by name.

    Raises
    ------
    ConfigError
        If a file does not hold what it must.
    """
    return tuple(
        Trained(path.stem, Declaration.parse(read_toml(path), where=path))
        for path in sorted(folder.glob("*.toml"))
        if not path.stem.startswith("_")
    )


def _computation(builder: Builder, arm: Arm, member: Member) -> Callable[[], Result]:
    return lambda: builder.test(arm, builder.network(arm, member))


def _begin(recipe: Any, folder: Path) -> Any:
    from mitoscope.train.recipe import DualRecipe

    if isinstance(recipe, DualRecipe):
        first = recipe.detector.model_copy(update={"start_from": str(folder)})
        return recipe.model_copy(update={"detector": first})
    return recipe.model_copy(update={"start_from": str(folder)})


def _mpp(recipe: Any) -> float:
    from mitoscope.train.recipe import DualRecipe

    part = recipe.detector if isinstance(recipe, DualRecipe) else recipe
    return float(part.model.mpp)


def _by_arm(own: Declaration, results: Mapping[str, Result]) -> dict[str, Result]:
    """Return the result of the first network of each arm that has one."""
    first = members(own)[0].name
    keys = {arm.name: f"{_key(arm.name)}.{first}" for arm in own.arms}
    return {name: results[key] for name, key in keys.items() if key in results}


def _average(own: Declaration, arm: Arm, score: str, results: Mapping[str, Result]) -> Average:
    keys = [f"{_key(arm.name)}.{member.name}" for member in members(own)]
    return Average.of(score_of(results[key], score) for key in keys if key in results)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9+]+", "-", name.casefold()).strip("-")


def _bars(table: Table) -> Bars:
    many = len(table.columns) > 1
    pairs = [
        (f"{row.name}, {column.name}" if many else row.name, entry)
        for row in table.rows
        for column, entry in zip(table.columns, row.entries, strict=True)
    ]
    pairs = [pair for pair in pairs if pair[1].found is not None or pair[1].published is not None][:24]
    entries = [entry for _, entry in pairs]
    return Bars(
        table.title,
        "score" if many else table.columns[0].name,
        tuple(name for name, _ in pairs),
        tuple(one.found for one in entries),
        tuple(one.sd for one in entries),
        tuple(one.published for one in entries),
        tuple(one.published_sd for one in entries),
        table.published_in,
    )


def _matrix(table: Table) -> Matrix:
    return Matrix(
        table.title,
        tuple(row.name for row in table.rows),
        tuple(column.name for column in table.columns),
        tuple(tuple(entry.found for entry in row.entries) for row in table.rows),
        tuple(tuple(entry.published for entry in row.entries) for row in table.rows),
        table.published_in,
    )


def _curve(table: Table, own: Declaration) -> Curves:
    sizes = {arm.name: float(arm.fields or arm.slides) for arm in own.arms}
    axis: Literal["fields", "slides"] = "fields" if any(arm.fields for arm in own.arms) else "slides"
    label = {"fields": "high-power fields of each slide", "slides": "training slides"}[axis]
    lines: dict[str, tuple[tuple[float, float], ...]] = {}
    for place, column in enumerate(table.columns):
        known = [
            (sizes[row.name], row.entries[place].found or 0.0)
            for row in table.rows
            if sizes[row.name] and row.entries[place].found is not None
        ]
        if known:
            lines[column.name] = tuple(sorted(known))
    return Curves(table.title, label, "score", lines, logarithmic=True)
