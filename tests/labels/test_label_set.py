from __future__ import annotations

import pytest

from mitoscope.errors import ConfigError
from mitoscope.labels import DEFAULT_LABELS, FIELD_LABELS, Label, LabelSet


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Mitosis", "mitotic figure"),
        ("mitotic figure", "mitotic figure"),
        ("MITOTIC_FIGURE", "mitotic figure"),
        ("Mitotic figure look-alike", "look-alike"),
        ("hard negative", "look-alike"),
        ("not mitotic figure", "look-alike"),
        ("Nonmitosis", "look-alike"),
        ("non-mitotic figure", "look-alike"),
        (" granulocyte ", "granulocyte"),
    ],
)
def test_published_names_meet_the_label_set(name: str, canonical: str) -> None:
    assert DEFAULT_LABELS.canonical(name) == canonical


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("MF-", None), ("Mitosis −", None), ("!mitosis", None), ("Mitosis ?", "ambiguous")],
)
def test_a_sign_that_doubts_or_denies_is_part_of_the_name(name: str, canonical: str | None) -> None:
    found = FIELD_LABELS.find(name)
    assert (None if found is None else found.name) == canonical


def test_a_name_may_not_stand_for_two_labels() -> None:
    with pytest.raises(ConfigError, match="two classes"):
        LabelSet((Label("a", "#000000", ("x",)), Label("b", "#000000", ("X",))))
