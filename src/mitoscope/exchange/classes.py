"""Classes of a file: its ids and names on one side, the labels of a study on the other; and what cells are.

Labels are one over all formats (``Mitosis``, ``mitotic figure`` and ``mitotic figures`` are one label), so
that counts agree between files. What a file called them rides on its slides and is given back when the study
is written in the same format again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.labels import (
    CANDIDATE,
    DEFAULT_LABELS,
    IGNORED,
    OUTLINES,
    Label,
    LabelMapping,
    LabelSet,
    is_candidate,
    name_key,
)
from mitoscope.store import Policy, Rater, RaterKind, SlideRecord, Study, agreed_of

CONSENSUS = Rater("consensus", RaterKind.CONSENSUS)
"""Who speaks where a file states only the outcome."""
UNKNOWN = -1
UNNAMED = "class"


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """One class of a file.

    Parameters
    ----------
    number : int
        Its id in the file.
    name : str
        Its name in the file.
    label : Label
        The label of the study it stands for.
    colour : str, optional
        ``#rrggbb``.
    """

    number: int
    name: str
    label: Label
    colour: str | None = None


def colour_of(name: str) -> str:
    """Return a colour for a label that has none: always the same for the same name, and not too dark."""
    digest = hashlib.sha256(name.casefold().encode("utf-8", "surrogatepass")).digest()
    return "#" + "".join(f"{64 + byte % 160:02x}" for byte in digest[:3])


class LabelFinder:
    """Gives the labels of a file by their names there; two names of one key are one label."""

    def __init__(self) -> None:
        self._known: dict[str, Label] = {}

    def find(self, name: str, colour: str | None = None) -> Label:
        """Return the label of a name: one that every study has, one found before, or a new one.

        Parameters
        ----------
        name : str
            As the file has it.
        colour : str, optional
            ``#rrggbb`` of a new label.
        """
        label = CANDIDATE if is_candidate(name) else DEFAULT_LABELS.find(name)
        if label is None:
            text = name if name_key(name) else "label " + " ".join(f"U+{ord(letter):04X}" for letter in name)
            label = self._known.setdefault(name_key(text), Label(text, _colour(colour, text)))
        return label


class ClassTable:
    """The classes of a file, each with its label; two classes may stand for one label."""

    def __init__(self, classes: Iterable[tuple[int, str | None, str | None]]) -> None:
        self.entries: dict[int, ClassEntry] = {}
        labels = LabelFinder()
        for number, name, colour in classes:
            text = (name or "").strip() or f"{UNNAMED} {number}"
            self.entries[number] = ClassEntry(number, name or "", labels.find(text, colour), colour)

    def label(self, number: int) -> Label | None:
        """Return the label of a class, None where the file has no such class."""
        entry = self.entries.get(number)
        return None if entry is None else entry.label

    def is_first(self, number: int) -> bool:
        """Whether this class is the one that the label stands for when it is written."""
        label = self.entries[number].label
        return next(key for key, entry in self.entries.items() if entry.label == label) == number

    def to_json(self) -> list[list[Any]]:
        """Return the table as it rides on a slide."""
        return [[entry.number, entry.name, entry.colour] for entry in self.entries.values()]


def _colour(text: str | None, name: str) -> str:
    digits = "" if text is None else text.removeprefix("#")
    is_colour = len(digits) == 6 and all(digit in "0123456789abcdefABCDEF" for digit in digits)
    return f"#{digits}" if is_colour else colour_of(name)


def classes_to_write(study: Study, key: str, *, own_names: Mapping[str, str] | None = None) -> ClassTable:
    """Return the class table for writing a study.

    It is the one that the slides brought along under ``key``, if they bring one, with the labels that are
    not in it added; else the labels of the study in order, from 1.

    Parameters
    ----------
    study : Study
        What is written.
    key : str
        Attribute of the slides that holds the table, for example ``sliderunner.classes``.
    own_names : mapping, optional
        Label → the name that the format's users know it under.
    """
    classes: list[tuple[int, str | None, str | None]] = []
    renumbered: list[tuple[str | None, str | None]] = []  # files of one study may number their classes apart
    for slide in study.slides:
        for number, name, colour in _carried(slide, key):
            if any(name == one for _, one, _ in classes) or any(name == one for one, _ in renumbered):
                continue
            if any(number == one for one, _, _ in classes):
                renumbered.append((name, colour))
            else:
                classes.append((number, name, colour))
    highest = max((number for number, _, _ in classes), default=0)
    classes += [(highest + place, *one) for place, one in enumerate(renumbered, start=1)]
    have = {name_key(entry.label.name) for entry in ClassTable(classes).entries.values()}
    free = max((number for number, _, _ in classes), default=0)
    for label in study.labels.labels:
        if name_key(label.name) not in have:
            free += 1
            classes.append((free, (own_names or {}).get(label.name, label.name), label.colour))
    return ClassTable(classes)


def _carried(slide: SlideRecord, key: str) -> list[tuple[int, str | None, str | None]]:
    table = slide.attributes.get(key)
    if not isinstance(table, list):
        return []
    return [
        (row[0], row[1], row[2])
        for row in table
        if isinstance(row, list) and len(row) == 3 and isinstance(row[0], int)
    ]


def numbers_by_label(table: ClassTable) -> dict[str, int]:
    """Return label name → class id, the first where two classes stand for one label."""
    numbers: dict[str, int] = {}
    for number, entry in table.entries.items():
        numbers.setdefault(entry.label.name, number)
    return numbers


def apply_mapping(study: Study, mapping: LabelMapping, where: str | Path) -> tuple[Study, dict[str, str]]:
    """Return a study with the classes that its names stand for: every door to labels and findings asks this.

    Parameters
    ----------
    study : Study
        As a reader hands it over, with the names of the file.
    mapping : LabelMapping
        What class names stand for.
    where : str or Path
        The file.

    Returns
    -------
    study : Study
        Cells whose labels are all of ignored names are left out.
    label_names : dict of str to str
        Name → class, or ``ignore``, of all names that live cells bear.

    Raises
    ------
    UnknownLabelError
        If a name on a live cell is not known, listing all such names with their counts.
    """
    events, names = study.events, study.labels.names
    spoken = (events.label >= 0) & ~study.cells.deleted[events.cell]
    pairs = np.unique(np.column_stack([events.cell, events.label])[spoken], axis=0)
    bearers = np.bincount(pairs[:, 1], minlength=len(names)).tolist()
    class_of = _stated(names, mapping) | {name: CANDIDATE.name for name in names if is_candidate(name)}
    unclear = {name: count for name, count in zip(names, bearers, strict=True) if name not in class_of}
    class_of |= mapping.map_names({name: count for name, count in unclear.items() if count}, where=where)
    # A class that no live cell bears says nothing of anything; without any label it is not even one.
    used = {
        *events.label.tolist(),
        *(label for version in study.versions for label in version.label.tolist()),
    }
    classes = {
        name: class_of.get(name, name)
        for place, name in enumerate(names)
        if name in class_of or place in used or mapping.find(name) is not None
    }
    labels = {label.name: label for label in study.labels.labels}
    kept = dict.fromkeys(class_name for class_name in classes.values() if class_name != IGNORED)
    new = LabelSet(tuple(_label_of(name, mapping, labels) for name in kept))
    place_of = {IGNORED: _IGNORED} | {name: place for place, name in enumerate(new.names)}
    index = [place_of[classes[name]] if name in classes else UNKNOWN for name in names]
    found = {name: class_of[name] for name, count in zip(names, bearers, strict=True) if count}
    return _relabelled(study, new, np.array([*index, UNKNOWN], dtype=np.int64)), found


_IGNORED = -2


def _stated(names: Iterable[str], mapping: LabelMapping) -> dict[str, str]:
    """Return what the user says of names; a reader may have given a name of the field its usual form."""
    found: dict[str, str] = {}
    for name in names:
        for stated, target in mapping.stated.items():
            usual = DEFAULT_LABELS.find(stated)
            is_meant = name_key(stated) == name_key(name) or (usual is not None and usual.name == name)
            if is_meant and target not in OUTLINES:
                found[name] = target
    return found


def _label_of(name: str, mapping: LabelMapping, labels: Mapping[str, Label]) -> Label:
    if name == CANDIDATE.name:
        return CANDIDATE
    return mapping.label(name) or labels.get(name) or Label(name, colour_of(name))


def _relabelled(study: Study, labels: LabelSet, index: NDArray[np.int64]) -> Study:
    """Return the study with other labels, without those that are ignored and cells that bear no other.

    Parameters
    ----------
    study : Study
    labels : LabelSet
        The new labels.
    index : ndarray of int64, shape (labels + 1,)
        Old label → new one or `_IGNORED`; the last is for none.
    """
    events = study.events
    label = index[events.label]
    spoken, left = (np.zeros(len(study.cells), dtype=np.bool_) for _ in range(2))
    spoken[events.cell] = True
    left[events.cell[label != _IGNORED]] = True
    kept = left | ~spoken
    row = np.cumsum(kept) - 1
    remaining = events.take(label != _IGNORED)
    versions = []
    for version in study.versions:
        frozen = index[version.label]
        rows = kept[version.cell] & (frozen != _IGNORED)
        versions.append(replace(version, cell=row[version.cell[rows]], label=frozen[rows]))
    return replace(
        study,
        labels=labels,
        cells=study.cells if kept.all() else study.cells.take(kept),
        events=replace(remaining, cell=row[remaining.cell], label=label[label != _IGNORED]),
        versions=tuple(versions),
    )


def stated_classes(
    study: Study, policy: Policy = Policy.SETTLED, *, models: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the class and the score that a format with room for one of each states of every cell.

    Parameters
    ----------
    study : Study
    policy : Policy
        How labels of several raters become one.
    models : bool
        Give cells of which only models spoke the class on which these agree.

    Returns
    -------
    label : ndarray of int64, shape (n,)
        Index into the labels of the study, `UNKNOWN` where there is none.
    score : ndarray of float64, shape (n,)
        The highest score that was given with this label, NaN where there is none.
    """
    label = agreed_of(study, policy).label
    if models:
        silent = np.ones(len(study.cells), dtype=np.bool_)
        silent[study.events.cell[~np.isin(study.events.rater, _models(study))]] = False
        label = np.where(silent, _word_of_models(study), label)
    events, score = study.events, np.full(len(study.cells), np.nan)
    rows = np.flatnonzero((events.label == label[events.cell]) & ~np.isnan(events.score))
    np.fmax.at(score, events.cell[rows], events.score[rows])
    return label, score


def _models(study: Study) -> list[int]:
    return [place for place, rater in enumerate(study.raters) if rater.kind is RaterKind.MODEL]


def _word_of_models(study: Study) -> NDArray[np.int64]:
    # To the rule of unanimity they are people.
    raters = tuple(Rater(rater.name) for rater in study.raters)
    return agreed_of(replace(study, raters=raters), Policy.UNANIMOUS).label
