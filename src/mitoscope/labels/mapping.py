"""From the names in a file to classes: by the alias table and what the user says; nothing is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from mitoscope.errors import ConfigError, UnknownLabelError
from mitoscope.labels.label import FIELD_LABELS, Label, LabelSet, name_key
from mitoscope.region import RegionKind

IGNORED: Final = "ignore"
"""Target of a mapping that leaves the cells of a name out: ``--label "Tubule=ignore"``."""
OTHERS: Final = "*"
"""Name that stands for all names that are not known: ``--label "*=ignore"``."""
OUTLINES: Final = {"tumor": RegionKind.TUMOUR} | {str(kind): kind for kind in RegionKind}
"""Targets for names of outlines: ``--label "Zone 1=tumour"``."""
_SHOWN_MAX = 8


@dataclass(frozen=True)
class LabelMapping:
    """Which class each name of a file stands for.

    Parameters
    ----------
    classes : LabelSet
        The classes that are known without being told: those of the field, or a study's own and those.
    stated : mapping of str to str
        Name as the user wrote it → canonical name of a class, `IGNORED`, or what its outlines delimit.
    """

    classes: LabelSet = FIELD_LABELS
    stated: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str], *, classes: LabelSet = FIELD_LABELS, may_add: bool = False) -> Self:
        """Read the option ``--label "A=B"``, which may be repeated.

        Parameters
        ----------
        texts : iterable of str
            ``name in the file=class``, the name ``*`` for all that are not known; the class ``ignore`` leaves
            the cells out, ``tumour``, ``exclusion``
            and ``region of interest`` say what outlines of this name delimit.
        classes : LabelSet
            Known classes.
        may_add : bool
            Whether a class that is not known becomes a new one (a study may get classes of its own).

        Raises
        ------
        ConfigError
            If a text is not of that form, names a class that is not known, or contradicts another one.
        """
        stated: dict[str, str] = {}
        for text in texts:
            name, equals, target = (part.strip() for part in text.rpartition("="))
            if not (name and equals and target):
                mend = 'write e.g. --label "Mitose=mitotic figure"'
                raise ConfigError(f"{text!r} is not of the form NAME=CLASS", where="--label", mend=mend)
            known, outline = classes.find(target), OUTLINES.get(target.casefold())
            if known is None and target.casefold() != IGNORED and outline is None and not may_add:
                mend = f"classes are {', '.join(classes.names)}; {IGNORED} leaves the cells out"
                raise ConfigError(f"no class {target!r}", where="--label", mend=mend)
            canonical = IGNORED if target.casefold() == IGNORED else target if known is None else known.name
            canonical = canonical if outline is None else str(outline)
            before = next(
                (one for other, one in stated.items() if name_key(other) == name_key(name)), canonical
            )
            if before != canonical:
                raise ConfigError(f"{name!r} is mapped to {before!r} and to {canonical!r}", where="--label")
            stated[name] = canonical
        return cls(classes, stated)

    @classmethod
    def of(cls, value: LabelMapping | Mapping[str, str] | None) -> LabelMapping:
        """Return the mapping that is given as such, or as ``{"Mitose": "mitotic figure"}``.

        Raises
        ------
        ConfigError
            As `parse`.
        """
        if isinstance(value, LabelMapping):
            return value
        return cls.parse(f"{name}={target}" for name, target in (value or {}).items())

    def with_classes(self, more: LabelSet) -> LabelMapping:
        """Return the mapping with further known classes, such as a study's own; theirs come first."""
        joined = more
        for label in self.classes.labels:
            if joined.find(label.name) is None:
                joined = joined.with_label(label)
        return LabelMapping(joined, self.stated)

    def find(self, name: str) -> str | None:
        """Return the class of a name, `IGNORED`, or None where the name is not known."""
        key = name_key(name)
        for stated, target in self.stated.items():
            if stated != OTHERS and name_key(stated) == key:
                return None if target in OUTLINES else target
        known = self.classes.find(name)
        if known is not None:
            return known.name
        others = self.stated.get(OTHERS)
        return None if others in OUTLINES else others

    @property
    def outlines(self) -> dict[str, RegionKind | None]:
        """What the user says of outlines, by `name_key`: what they delimit, None where they are cells."""
        named = {name: target for name, target in self.stated.items() if name != OTHERS}
        return {name_key(name): OUTLINES.get(target) for name, target in named.items()}

    def label(self, name: str) -> Label | None:
        """Return the label of a class name, as the known classes have it; None for one that is new."""
        return self.classes.find(name)

    def map_names(self, counts: Mapping[str, int], *, where: str | Path) -> dict[str, str]:
        """Return the class of each name, or `IGNORED`.

        Parameters
        ----------
        counts : mapping of str to int
            The names of a file and how many cells bear each.
        where : str or Path
            The file.

        Raises
        ------
        UnknownLabelError
            If a name is not known, listing all such names with their counts.
        """
        mapped = {name: self.find(name) for name in counts}
        unknown = {name: counts[name] for name, target in mapped.items() if target is None}
        if unknown:
            raise unknown_labels(unknown, self.classes, where=where)
        return {name: target for name, target in mapped.items() if target is not None}


def unknown_labels(counts: Mapping[str, int], classes: LabelSet, *, where: str | Path) -> UnknownLabelError:
    """Return the error that names are not known, with their counts and the option that maps them."""
    listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = ", ".join(f"{name!r} ({count})" for name, count in listed[:_SHOWN_MAX])
    more = f" and {len(listed) - _SHOWN_MAX} more" if len(listed) > _SHOWN_MAX else ""
    example = listed[0][0]
    error = UnknownLabelError(
        f"unknown class {'names' if len(listed) > 1 else 'name'} {names}{more}",
        where=where,
        mend=f'map each with --label "{example}=CLASS", CLASS one of {", ".join(classes.names)} or '
        f'{IGNORED}, and all others with --label "{OTHERS}={IGNORED}"',
    )
    error.counts = dict(listed)
    return error
