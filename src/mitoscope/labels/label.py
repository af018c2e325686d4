"""Classes of cells, sets of them, and the names that papers, tools and languages give those of the field.

Sources of the names: CCMCT and CMC (SlideRunner databases), MIDOG, MIDOG++ and the relabelled TUPAC16 (COCO
and SlideRunner), MITOS, AMIDA13, AMi-Br and AtNorM (atypical figures), BreCaHAD, QuPath projects.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache

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


@lru_cache(maxsize=4096)  # a file of 260,000 rows asks three times a row, for a few names
def name_key(name: str) -> str:
    """Return what of a name is compared: letters and digits, without case, accents, spaces and hyphens.

    Signs that doubt or deny are compared too: ``Mitosis?`` and ``MF -`` are not ``Mitosis`` and ``MF``.

    >>> name_key("Mitotic-Figure") == name_key("mitotic figure")
    True
    >>> name_key("figura mitótica")
    'figuramitotica'
    >>> name_key("Mitosis ?"), name_key("MF-")
    ('mitosis?', 'mf-')
    """
    plain = unicodedata.normalize("NFKD", name.casefold()).strip()
    key = "".join(character for character in plain if character.isalnum() or character in _DOUBTS)
    if not any(map(str.isalnum, key)):
        return ""
    return f"{key}-" if plain[-1] in _MINUS else key


_DOUBTS = "?!~¬"
_MINUS = "-−–"


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
                    raise ConfigError(f"the name {name!r} has two classes", where="classes")
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


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(","))


MITOTIC_FIGURE = Label(
    "mitotic figure",
    "#e03131",
    _names(
        """
        mitosis, mitoses, mitotic, mitotic cell, mitotic nucleus, mf, mit, mitosis figure, mitoses figure,
        true mitosis, true mitotic figure, typical mitotic figure, typical mitosis, normal mitotic figure,
        mitosis figura, figura mitosis, figura de mitosis,
        normal mitosis, dividing cell, Mitose, Mitosen, Mitosefigur, Mitosefiguren, mitotische Figur,
        Kernteilungsfigur, figure mitotique, figures mitotiques, figura mitótica, figuras mitóticas, figura
        mitotica, mitosi, figure mitotiche, figura de mitose, mitosefiguur, mitosfigur, mitos, mitoser,
        mitoosi, mitoza, figura mitotyczna, mitoz, mitotik figür, митоз, фигура митоза, 有丝分裂,
        有絲分裂, 核分裂象, 核分裂像, 유사분열
        """
    ),
)
LOOK_ALIKE = Label(
    "look-alike",
    "#1c7ed6",
    _names(
        """
        mitotic figure look-alike, mitosis look-alike, mitotic look-alike, mitosis like, mitotic like
        figure, mitotic figure like, mf look-alike, hard negative, hard negative imposter, hard negative
        look-alike, hard negative example, imposter, impostor, mimic, mitotic mimic, mitosis mimic,
        mimicker, non-mitotic, non-mitotic figure, non-mitotic cell, non-mitotic nucleus, nonmitosis, non
        mitoses, not mitotic figure, not a mitotic figure, not mitosis, not mitotic, no mitosis, no mitotic
        figure, nmf, false mitosis, pseudomitosis, mitosis imposter, Nicht-Mitose, keine Mitose, nicht
        mitotisch, nicht mitotische Figur, Pseudomitose, mitoseähnlich, mitoseähnliche Zelle, Mitose-
        Imitator, non mitose, non mitotique, figure non mitotique, pas de mitose, no mitótica, no mitosis
        figura, figura no mitótica, non mitosi, figura non mitotica, não mitose, geen mitose, ej mitos, ikke
        mitose, не митоз, 非核分裂象, 非有丝分裂
        """
    ),
)
ATYPICAL_FIGURE = Label(
    "atypical mitotic figure",
    "#9c36b5",
    _names(
        """
        atypical mitosis, atypical mitoses, atypical, atypical mf, amf, abnormal mitosis, abnormal mitotic
        figure, atypische Mitose, atypische Mitosen, atypische Mitosefigur, mitose atypique, mitoses
        atypiques, figure mitotique atypique, mitosis atípica, figura mitótica atípica, mitosi atipica,
        mitose atípica, atypische mitosefiguur, atypisk mitos, 病理性核分裂象, 异型核分裂象
        """
    ),
)
"""A mitotic figure of abnormal form: it counts as a mitotic figure (AMi-Br, AtNorM)."""
AMBIGUOUS = Label(
    "ambiguous",
    "#f08c00",
    _names(
        """
        ambiguous cell, ambiguous figure, ambiguous mitotic figure, unsure, uncertain, unclear, undecided,
        disagreed, equivocal, questionable, possible mitosis, possible mitotic figure, mitosis?, mitotic
        figure?, mf?, mitose?, unsicher, unklar,
        fraglich, fragliche Mitose, incertain, douteux, ambigu, incierto, dudoso, incerto, onzeker, osäker
        """
    ),
)
GRANULOCYTE = Label(
    "granulocyte",
    "#2f9e44",
    _names(
        """
        eosinophil, eosinophilic granulocyte, eosinophile, neutrophil, Granulozyt, Granulozyten,
        Eosinophiler
        """
    ),
)
TUMOUR_CELL = Label(
    "tumour cell",
    "#0c8599",
    _names(
        """
        tumor cell, tumour nucleus, tumor nucleus, tumor nuclei, non-mitotic tumour cell, non-mitotic tumor
        cell, tumour cell non-mitotic, tumor cell non-mitotic, neoplastic cell, neoplastic mast cell, mast
        cell, other cell, other, Tumorzelle, Tumorzellen, cellule tumorale
        """
    ),
)
APOPTOTIC_CELL = Label(
    "apoptotic cell",
    "#5c940d",
    _names(
        """
        apoptosis, apoptotic body, apoptotic bodies, apoptotic, Apoptose, apoptotische Zelle, pyknotic cell
        """
    ),
)
CANDIDATE = Label("mitotic figure candidate", "#868e96")
"""What a detector scored at or below its threshold: no class of cells, so that who counts the class mitotic
figure in a file of results counts right. Readers of results take it for a mitotic figure of that score."""

FIELD_LABELS = LabelSet(
    (MITOTIC_FIGURE, LOOK_ALIKE, ATYPICAL_FIGURE, AMBIGUOUS, GRANULOCYTE, TUMOUR_CELL, APOPTOTIC_CELL)
)
"""All classes that files of the field name."""
LOOK_ALIKE_KINDS = (
    "apoptosis",
    "pyknosis",
    "lymphocyte",
    "neutrophil",
    "crushed or smudged",
    "pigment",
    "hyperchromatic nucleus",
    "other",
    "unclear",
)
"""What look-alikes turn out to be. Pyknosis: a dark, smooth, shrunken nucleus without fragments;
hyperchromatic: a dark nucleus of interphase with texture; a plasma cell counts as lymphocyte; unclear: nobody
could tell."""
DEFAULT_LABELS = LabelSet((MITOTIC_FIGURE, LOOK_ALIKE))
"""Mitotic figure and look-alike: the two classes common to all published sets."""
CLASS_SETS: dict[str, LabelSet] = {
    "default": DEFAULT_LABELS,
    "ccmct": LabelSet((MITOTIC_FIGURE, LOOK_ALIKE, GRANULOCYTE, TUMOUR_CELL)),
    "ambiguous": LabelSet((MITOTIC_FIGURE, LOOK_ALIKE, AMBIGUOUS)),
    "atypical": LabelSet((MITOTIC_FIGURE, ATYPICAL_FIGURE, LOOK_ALIKE)),
}
"""Class sets by name: that of CMC and MIDOG++, the four classes of CCMCT (section Methods), and two more."""
_COLOURS = ("#e8590c", "#1098ad", "#6741d9", "#c2255c", "#66a80f", "#495057")


def is_figure(name: str) -> bool:
    """Return whether cells of a class count as mitotic figures: mitotic figures, also atypical ones."""
    return FIELD_LABELS.find(name) in (MITOTIC_FIGURE, ATYPICAL_FIGURE)


def is_candidate(name: str) -> bool:
    """Return whether detections of a class lie below the threshold of their detector."""
    return name_key(name) == name_key(CANDIDATE.name)


def class_set(text: str) -> LabelSet:
    """Return the classes that a text names.

    Parameters
    ----------
    text : str
        Sets of `CLASS_SETS`, classes of the field and own names, separated by commas; every study has mitotic
        figure and look-alike.

    Raises
    ------
    ConfigError
        If a name is empty.

    Examples
    --------
    >>> class_set("ambiguous, megakaryocyte").names
    ('mitotic figure', 'look-alike', 'ambiguous', 'megakaryocyte')
    """
    chosen = DEFAULT_LABELS
    for part in (part.strip() for part in text.split(",")):
        if not part:
            mend = "write e.g. ambiguous,atypical"
            raise ConfigError(f"a class without a name in {text!r}", where="classes", mend=mend)
        named = CLASS_SETS.get(part.casefold())
        own = Label(part, _COLOURS[len(chosen.labels) % len(_COLOURS)])
        for label in (FIELD_LABELS.find(part) or own,) if named is None else named.labels:
            if chosen.find(label.name) is None:
                chosen = chosen.with_label(label)
    return chosen
