"""What is in a store (CCMCT Table 1, CMC Table 1), and who overruled whom."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mitoscope.errors import TruthError
from mitoscope.region import RegionKind
from mitoscope.store.chain import ChainHead, head
from mitoscope.store.dump import read_slides
from mitoscope.store.encoding import vertices_from, well_formed
from mitoscope.store.ground_truth import regions_of
from mitoscope.store.opinions import Policy, agreed, read_opinions
from mitoscope.store.records import Rater, Region, Round, SlideRecord
from mitoscope.store.vocabulary import read_labels, read_raters, read_rounds, read_setting
from mitoscope.truth import NO_CLASS, RaterKind, first_three, ranked_experts

Counts = Mapping[str, int]
"""Cells by label name."""


@dataclass(frozen=True, slots=True)
class SlideRow:
    """One slide of the table.

    Parameters
    ----------
    slide : SlideRecord
        The slide.
    area_mm2 : float or None
        Tumour area without exclusions; None where no tumour region is drawn, one crosses itself, or the
        resolution is not known.
    cells : int
        Live cells.
    agreed : mapping
        Cells by agreed class.
    variants : mapping
        ``(variant, version)`` → cells by label.
    splits : mapping
        ``(variant, version)`` → train, validation or test.
    """

    slide: SlideRecord
    area_mm2: float | None
    cells: int
    agreed: Counts
    variants: Mapping[tuple[str, int], Counts]
    splits: Mapping[tuple[str, int], str]


@dataclass(frozen=True, slots=True)
class RaterRow:
    """One rater: the labels given, and the cells they are about."""

    rater: Rater
    labels: int
    cells: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What is in a store; ``policy`` says how the agreed class was found, ``study_policy`` is the study's."""

    name: str
    uuid: str
    policy: Policy
    study_policy: Policy
    slides: tuple[SlideRow, ...]
    raters: tuple[RaterRow, ...]
    rounds: tuple[Round, ...]
    labels: tuple[str, ...]
    cells: int
    deleted: int
    events: int
    agreed: Counts
    disagreed: int
    quarantined: Counts
    chain: ChainHead | None

    @property
    def variants(self) -> tuple[tuple[str, int], ...]:
        """Variants and versions, in order."""
        return tuple(dict.fromkeys(key for row in self.slides for key in row.variants))

    def total(self, variant: tuple[str, int]) -> dict[str, int]:
        """Return the cells of a variant by label, over all slides."""
        total: dict[str, int] = {}
        for row in self.slides:
            for label, count in row.variants.get(variant, {}).items():
                total[label] = total.get(label, 0) + count
        return total


@well_formed()
def overview(connection: sqlite3.Connection, policy: Policy = Policy.SETTLED) -> Overview:
    """Return what is in a store, with the agreed classes under a policy."""
    labels = {id_: label.name for id_, label in read_labels(connection).items()}
    per_slide = _agreed_counts(connection, policy, labels)
    name, uuid = connection.execute("SELECT name, uuid FROM study").fetchone()
    slides = _slide_rows(connection, per_slide, labels)
    total = {label: sum(row.agreed.get(label, 0) for row in slides) for label in labels.values()}
    cells, deleted = connection.execute(
        "SELECT count(*) - ifnull(sum(is_deleted), 0), ifnull(sum(is_deleted), 0) FROM cell"
    ).fetchone()
    (events,) = connection.execute("SELECT count(*) FROM event").fetchone()
    return Overview(
        name=name,
        uuid=uuid,
        policy=policy,
        study_policy=Policy(read_setting(connection, "policy", str(Policy.SETTLED))),
        slides=slides,
        raters=_rater_rows(connection),
        rounds=tuple(read_rounds(connection).values()),
        labels=tuple(labels.values()),
        cells=cells,
        deleted=deleted,
        events=events,
        agreed=total,
        disagreed=cells - sum(total.values()),
        quarantined=dict(
            connection.execute("SELECT reason, count(*) FROM quarantine GROUP BY reason").fetchall()
        ),
        chain=head(connection),
    )


def _agreed_counts(
    connection: sqlite3.Connection, policy: Policy, labels: dict[int, str]
) -> dict[int, dict[str, int]]:
    view = agreed(connection, policy)
    known = view.label_id > 0
    several = max(labels, default=0) + 1
    pairs, number = np.unique(view.slide_id[known] * several + view.label_id[known], return_counts=True)
    counts: dict[int, dict[str, int]] = {}
    for pair, count in zip(pairs.tolist(), number.tolist(), strict=True):
        counts.setdefault(pair // several, {})[labels[pair % several]] = count
    return counts


def _slide_rows(
    connection: sqlite3.Connection, agreed_counts: dict[int, dict[str, int]], labels: dict[int, str]
) -> tuple[SlideRow, ...]:
    cells = dict(
        connection.execute(
            "SELECT slide_id, count(*) FROM cell WHERE is_deleted = 0 GROUP BY slide_id"
        ).fetchall()
    )
    variants = _variant_counts(connection, labels)
    splits, drawn = _splits(connection), _regions(connection)
    return tuple(
        SlideRow(
            slide=slide,
            area_mm2=tumour_area_mm2(drawn[id_], slide) if id_ in drawn else None,
            cells=cells.get(id_, 0),
            agreed=agreed_counts.get(id_, {}),
            variants=variants.get(id_, {}),
            splits=splits.get(id_, {}),
        )
        for id_, slide in read_slides(connection).items()
    )


def _variant_counts(
    connection: sqlite3.Connection, labels: dict[int, str]
) -> dict[int, dict[tuple[str, int], dict[str, int]]]:
    rows = connection.execute(
        "SELECT c.slide_id, v.variant, v.number, m.label_id, count(*) FROM version AS v "
        "JOIN version_cell AS m ON m.version_id = v.id JOIN cell AS c ON c.id = m.cell_id "
        "GROUP BY c.slide_id, v.id, m.label_id ORDER BY v.id"
    )
    counts: dict[int, dict[tuple[str, int], dict[str, int]]] = {}
    for slide, variant, number, label, count in rows:
        counts.setdefault(slide, {}).setdefault((variant, number), {})[labels[label]] = count
    return counts


def _splits(connection: sqlite3.Connection) -> dict[int, dict[tuple[str, int], str]]:
    rows = connection.execute(
        "SELECT s.slide_id, v.variant, v.number, s.split FROM version_split AS s "
        "JOIN version AS v ON v.id = s.version_id"
    )
    splits: dict[int, dict[tuple[str, int], str]] = {}
    for slide, variant, number, split in rows:
        splits.setdefault(slide, {})[variant, number] = split
    return splits


def _regions(connection: sqlite3.Connection) -> dict[int, list[Region]]:
    found: dict[int, list[Region]] = {}
    for slide, kind, name, blob in connection.execute(
        "SELECT slide_id, kind, name, vertices_px0 FROM region ORDER BY id"
    ):
        found.setdefault(slide, []).append(Region(0, vertices_from(blob), RegionKind(kind), name))
    return found


def tumour_area_mm2(regions: list[Region], slide: SlideRecord) -> float | None:
    """Return the area of the tumour regions of a slide without its exclusions, as far as it is known."""
    if slide.mpp is None:
        return None
    try:
        tumour = regions_of(regions, slide).tumour
    except TruthError:
        return None
    return None if tumour is None else tumour.area_mm2(slide.mpp)


def _rater_rows(connection: sqlite3.Connection) -> tuple[RaterRow, ...]:
    labels = dict(
        connection.execute(
            "SELECT rater_id, count(*) FROM event WHERE kind = 'label' GROUP BY rater_id"
        ).fetchall()
    )
    cells = dict(
        connection.execute(
            "SELECT rater_id, count(DISTINCT cell_id) FROM label_now GROUP BY rater_id"
        ).fetchall()
    )
    return tuple(
        RaterRow(rater, labels.get(id_, 0), cells.get(id_, 0))
        for id_, rater in read_raters(connection).items()
    )


@dataclass(frozen=True, slots=True)
class Overruling:
    """One rater's labels that another's decision turned: how many, and of how many decided on."""

    overruled_id: int
    by_id: int
    cells: int
    decided: int


def overrulings(connection: sqlite3.Connection) -> list[Overruling]:
    """Return who overruled whom: a third expert one of the first two, or a consensus an expert.

    A third expert decides between two who differ; a consensus decides over every expert of the cell.
    """
    cells = np.array([id_ for (id_,) in connection.execute("SELECT id FROM cell ORDER BY id")], np.int64)
    opinions = read_opinions(connection, cells)
    experts, rank = ranked_experts(opinions)
    first, second, _ = first_three(opinions, len(cells)).T
    one, two = first[experts.cell], second[experts.cell]
    third = experts.take((rank == 2) & (one != two) & ((experts.label == one) | (experts.label == two)))
    heard = experts.take(rank < 2)
    counts: dict[tuple[int, int], list[int]] = {}
    for decided in (third, opinions.of_kinds(RaterKind.CONSENSUS)):
        for by in np.unique(decided.rater).tolist():
            mine = decided.take(decided.rater == by)
            label_of = np.full(len(cells), NO_CLASS, dtype=np.int64)
            label_of[mine.cell] = mine.label
            asked = heard.take((label_of[heard.cell] != NO_CLASS) & (heard.rater != by))
            for overruled in np.unique(asked.rater).tolist():
                rows = asked.rater == overruled
                turned = asked.label[rows] != label_of[asked.cell[rows]]
                pair = counts.setdefault((overruled, by), [0, 0])
                pair[0] += int(turned.sum())
                pair[1] += int(rows.sum())
    return [Overruling(*pair, *numbers) for pair, numbers in sorted(counts.items())]
