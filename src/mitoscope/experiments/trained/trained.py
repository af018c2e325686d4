"""A declared experiment as cells: a network of each arm and network, tested on the slides that only test."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

from mitoscope.errors import ConfigError
from mitoscope.experiments.chart import Bars, Chart, Curves, Matrix
from mitoscope.experiments.experiment import Computation, Experiment, Plan, Result, Size, Workplace
from mitoscope.experiments.published import PublishedTable
from mitoscope.experiments.table import Column, Entry, ResultTable, rows_of
from mitoscope.experiments.trained.cost import Cost, cost_of
from mitoscope.experiments.trained.declaration import Arm, Declaration, read_declaration
from mitoscope.experiments.trained.judging import ALL, score_of
from mitoscope.experiments.trained.networks import ArmNetwork, NetworkBuilder, arm_networks
from mitoscope.experiments.trained.slides import SlideSet, check_there, domain_of, read_set
from mitoscope.experiments.trained.smoke import smoke_declaration, smoke_sets
from mitoscope.statistics import Average


@dataclass(frozen=True, slots=True)
class Trained(Experiment):
    """An experiment that a file declares.

    Parameters
    ----------
    declaration : Declaration
    """

    declaration: Declaration
    trains: ClassVar[bool] = True

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Smoke, full, and small where the file declares it."""
        small = () if self.declaration.small is None else (Size.SMALL,)
        return (Size.FULL, *small, Size.SMOKE)

    @property
    def printed(self) -> tuple[PublishedTable, ...]:
        """The published table that stands beside it."""
        held = self.declaration.published.held
        return (held,) if held.rows else ()

    def cost(self, recipes: Path) -> Cost:
        """Return what the networks of the full size cost; needs the extra ``train``."""
        own = self.declaration
        return cost_of(own, recipes, networks_an_arm=len(arm_networks(own)))

    def at(self, size: Size) -> Declaration:
        """Return the declaration at a size."""
        own = self.declaration
        if size is Size.SMOKE:
            return smoke_declaration(own)
        if size is Size.SMALL and own.small is not None:
            changes = {name: getattr(own.small, name) for name in type(own.small).model_fields}
            return own.model_copy(update=changes)
        return own

    def plan(self, workplace: Workplace) -> Plan:
        """Read the sets and return a cell for each network.

        Raises
        ------
        TrainingDataError
            If slides are missing or stand twice.
        ConfigError
            If a recipe does not hold what it must, or the machine has no such device.
        """
        own = self.at(workplace.size)
        used = {name for arm in own.arms if not arm.missing for name in arm.all_sets}
        if workplace.size is Size.SMOKE:
            sets = smoke_sets(own, workplace.out)
        else:
            wanted = {name: slide_set for name, slide_set in own.sets.items() if name in used}
            check_there(wanted.values(), workplace.data)
            sets = {name: read_set(name, slide_set, workplace.data) for name, slide_set in wanted.items()}
        _check_groups(own, sets)
        builder = NetworkBuilder(own, workplace, sets)
        builder.check_device()
        cells = [
            Computation(
                f"{_key(arm.name)}.{network.name}",
                builder.fingerprint(arm),
                (network.seed,),
                _computation(builder, arm, network),
            )
            for network in arm_networks(own)
            for arm in own.arms
            if not arm.missing
        ]
        data = hashlib.sha256("".join(f"{name} {sets[name].sha256}\n" for name in sorted(sets)).encode())
        return Plan(tuple(cells[: workplace.cells_max or None]), data.hexdigest())

    def table(self, results: Mapping[str, Result], size: Size) -> ResultTable:
        """Return the table: mean ± standard deviation over the networks of each arm."""
        own = self.at(size)
        columns = tuple(Column(column.name, column.digits) for column in own.columns)
        declared = {column.name: column for column in own.columns}
        named = {row: (arm, threshold) for arm in own.arms for row, threshold in arm.rows}
        printed = own.published.held

        def entry(row: str, column: str) -> Entry:
            arm, threshold = named[row]
            average = _average(own, arm, declared[column].at(threshold), results)
            scale = 100.0 if declared[column].percent else 1.0
            mean, sd = (None if value is None else scale * value for value in (average.mean, average.sd))
            published = printed.rows.get(row, {}).get(column), printed.deviation(row, column)
            found = Entry(mean, sd, *(published if size is Size.FULL else (None, None)))
            return replace(found, note=arm.missing and f"not run: {arm.missing}")

        runs = len(arm_networks(own))
        notes = (f"Mean ± standard deviation of {runs} networks.",) if runs > 1 else ()
        judged = (f"Judged under the protocol {own.protocol}.",) if own.measure == "points" else ()
        rows = rows_of(list(named), columns, entry)
        published = any(entry.published is not None for row in rows for entry in row.entries)
        return ResultTable(
            f"{own.paper} {own.shows}",
            own.heading,
            columns,
            rows,
            published_in=printed.source if published else "",
            notes=(*notes, *judged, *own.notes),
        )

    def chart(self, results: Mapping[str, Result], size: Size) -> Chart | None:
        """Return the table as bars, a matrix of domains or a curve over slides, or the curves of each arm."""
        table, own = self.table(results, size), self.at(size)
        match own.chart:
            case "bars":
                return Bars(table)
            case "matrix":
                return Matrix(table)
            case "curve":
                return _curve(table, self.declaration if size is Size.SMOKE else own)
            case "rates":
                return _rates(table, own)
            case "precision-recall":
                return Curves(table.title, "recall", "precision", _lines(own, results), shares="xy")
            case "training":
                error = "error: 1 − F1 on the cases that judge"
                return Curves(table.title, "training steps", error, _lines(own, results), shares="y")
        return None


def _check_groups(own: Declaration, sets: Mapping[str, SlideSet]) -> None:
    """Refuse, before anything is trained, columns of domains or sets that no slide tests.

    Raises
    ------
    ConfigError
        Naming the groups that there are.
    """
    if own.measure == "cells":
        return
    tested = {ALL}
    for name in {name for arm in own.arms if not arm.missing for name in arm.tests or arm.sets}:
        slides = sets[name].slides(testing=True)
        tested |= {name, *(domain_of(slide, name) for slide in slides)} if slides else set()
    place = 1 if own.measure == "points" else 0
    odd = [column.score for column in own.columns if column.score.split("/")[place] not in tested]
    if odd:
        raise ConfigError(
            f"no test slide belongs to the score {odd[0]!r}",
            where="columns",
            mend=f"there are {', '.join(sorted(tested))}",
        )


@cache
def read_declared(folder: Path) -> tuple[Trained, ...]:
    """Return the experiments that the files of a folder declare, by name.

    Raises
    ------
    ConfigError
        If a file does not hold what it must.
    """
    files = {path: read_declaration(path) for path in sorted(folder.glob("*.toml")) if path.stem[0] != "_"}
    declared = {path.stem: Declaration.parse(values, where=path) for path, values in files.items()}
    return tuple(Trained(name, own.paper, own.shows, own.needs, own) for name, own in declared.items())


def _computation(builder: NetworkBuilder, arm: Arm, network: ArmNetwork) -> Callable[[], Result]:
    return lambda: builder.test(arm, builder.network(arm, network))


def _average(own: Declaration, arm: Arm, score: str, results: Mapping[str, Result]) -> Average:
    keys = [key for network in arm_networks(own) if (key := f"{_key(arm.name)}.{network.name}") in results]
    if arm.best_of_networks and keys:
        stage = score.partition("/")[0]
        keys = [max(keys, key=lambda key: results[key]["target"].get(stage) or 0.0)]
    return Average.of(score_of(results[key], score) for key in keys)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9+]+", "-", name.casefold()).strip("-")


def _curve(table: ResultTable, own: Declaration) -> Curves:
    sizes = {arm.name: float(arm.fields or len(arm.cases) or arm.cases_max) for arm in own.arms}
    axis: Literal["fields", "cases"] = "fields" if any(arm.fields for arm in own.arms) else "cases"
    label = {"fields": "high-power fields of each slide", "cases": "training cases"}[axis]
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


def _rates(table: ResultTable, own: Declaration) -> Curves:
    """Return true over false positive rate at the thresholds of each arm, of the first two columns."""
    found = {row.name: row.entries for row in table.rows}
    lines: dict[str, tuple[tuple[float, float], ...]] = {}
    for arm in own.arms:
        rates = [found[row][:2] for row, _ in arm.rows]
        known = [(fpr.found, tpr.found) for tpr, fpr in rates if None not in (fpr.found, tpr.found)]
        if known:
            lines[arm.name] = tuple((x or 0.0, y or 0.0) for x, y in known)
    return Curves(table.title, "false positive rate, %", "true positive rate, %", lines)


def _lines(own: Declaration, results: Mapping[str, Result]) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return error over steps, or precision over recall for the stage and group of the first column."""
    curve, first = own.columns[0].score.rpartition("/")[0], arm_networks(own)[0].name
    lines = {}
    for arm in own.arms:
        result = results.get(f"{_key(arm.name)}.{first}")
        if result is not None:
            points = result["training"] if own.chart == "training" else result["curves"].get(curve, ())
            lines[arm.name] = tuple((x, y) for x, y in points)
    return {name: points for name, points in lines.items() if points}
