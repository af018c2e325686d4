"""What a class of cells is called: the field's classes and names, and how those of a file map to them."""

from __future__ import annotations

from mitoscope.labels.label import (
    AMBIGUOUS,
    APOPTOTIC_CELL,
    ATYPICAL_FIGURE,
    CANDIDATE,
    CLASS_SETS,
    DEFAULT_LABELS,
    FIELD_LABELS,
    GRANULOCYTE,
    LOOK_ALIKE,
    LOOK_ALIKE_KINDS,
    MITOTIC_FIGURE,
    TUMOUR_CELL,
    Label,
    LabelSet,
    class_set,
    is_candidate,
    is_figure,
    name_key,
)
from mitoscope.labels.mapping import IGNORED, OUTLINES, LabelMapping

__all__ = [
    "AMBIGUOUS",
    "APOPTOTIC_CELL",
    "ATYPICAL_FIGURE",
    "CANDIDATE",
    "CLASS_SETS",
    "DEFAULT_LABELS",
    "FIELD_LABELS",
    "GRANULOCYTE",
    "IGNORED",
    "LOOK_ALIKE",
    "LOOK_ALIKE_KINDS",
    "MITOTIC_FIGURE",
    "OUTLINES",
    "TUMOUR_CELL",
    "Label",
    "LabelMapping",
    "LabelSet",
    "class_set",
    "is_candidate",
    "is_figure",
    "name_key",
]
