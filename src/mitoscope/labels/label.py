"""A class of cells with its other names, and sets of classes in which every name stands for one class."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property

from mitoscope.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Label:
    """One class of cells.

    Parameters
    ----------
    name : str
        Canonical name, lower case, spelled out.
    colour : str
        ``#rrggbb``, used in figures, viewers and exports.
    aliases : tuple of str
        Other names in published files and other languages; compared by `name_key`.
    """

    name: str
    colour: str
    aliases: tuple[str, ...] = ()


def name_key(name: str) -> str:
    """Return what of a name is compared: letters and digits, without case, accents, spaces and hyphens.

    >>> name_key("Mitotic-Figure") == name_key("mitotic figure")
    True
    >>> name_key("figura mitótica")
    'figuramitotica'
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in plain if character.isalnum())


@dataclass(frozen=True)
class LabelSet:
    """Classes in order; each name or alias stands for one of them.

    Raises
    ------
    ConfigError
        If two classes share a name or an alias.
    """

    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        _ = self._by_key

    @cached_property
    def _by_key(self) -> dict[str, Label]:
        index: dict[str, Label] = {}
        for label in self.labels:
            for name in (label.name, *label.aliases):
                if index.setdefault(name_key(name), label) is not label:
                    raise ConfigError(f"the name {name!r} stands for two classes", where="classes")
        return index

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names, in order."""
        return tuple(label.name for label in self.labels)

    def find(self, name: str) -> Label | None:
        """Return the class known under a name, an alias or its plural in s, or None."""
        key = name_key(name)
        return self._by_key.get(key) or self._by_key.get(key.removesuffix("s"))

    def canonical(self, name: str) -> str:
        """Return the canonical name of a name or alias; a name not in the set is returned stripped."""
        label = self.find(name)
        return name.strip() if label is None else label.name

    def with_label(self, label: Label) -> LabelSet:
        """Return the set with one more class; aliases that another class has already are left to that one."""
        free = tuple(alias for alias in label.aliases if self.find(alias) is None)
        return LabelSet((*self.labels, Label(label.name, label.colour, free)))
