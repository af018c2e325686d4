"""The label set: what a cell can be called, and the names under which the field's files know it."""

from __future__ import annotations

from dataclasses import dataclass

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
        Other names in published files; compared without regard to case, spaces, hyphens and underscores.
    """

    name: str
    colour: str
    aliases: tuple[str, ...] = ()


MITOTIC_FIGURE = Label(
    "mitotic figure",
    "#e03131",
    ("mitosis", "mitoses", "mitotic", "mitotic figures", "mitotic cell", "mf", "mitotic-figure"),
)
LOOK_ALIKE = Label(
    "look-alike",
    "#1c7ed6",
    (
        "mitotic figure look-alike",
        "mitosis like",
        "mitosislike",
        "lookalike",
        "hard negative",
        "hard negative imposter",
        "imposter",
        "impostor",
        "non-mitotic",
        "non-mitotic figure",
        "nonmitotic cell",
        "nonmitosis",
        "non mitosis",
        "not mitotic figure",
        "not mitosis",
        "nmf",
    ),
)


def _key(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


@dataclass(frozen=True)
class LabelSet:
    """The labels of a study, in order.

    Raises
    ------
    ConfigError
        If two labels share a name or an alias.
    """

    labels: tuple[Label, ...] = (MITOTIC_FIGURE, LOOK_ALIKE)

    def __post_init__(self) -> None:
        self._index()

    def _index(self) -> dict[str, Label]:
        index: dict[str, Label] = {}
        for label in self.labels:
            for name in (label.name, *label.aliases):
                if index.setdefault(_key(name), label) is not label:
                    raise ConfigError(f"the name {name!r} stands for two labels", where="label set")
        return index

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names, in order."""
        return tuple(label.name for label in self.labels)

    def find(self, name: str) -> Label | None:
        """Return the label known under a name or alias, or None."""
        return self._index().get(_key(name))

    def canonical(self, name: str) -> str:
        """Return the canonical name of a name or alias; a name not in the set is returned stripped."""
        label = self.find(name)
        return name.strip() if label is None else label.name


DEFAULT_LABELS = LabelSet()
"""Mitotic figure and look-alike: the two classes common to all published sets."""
