"""Names of files become classes: by the alias table, by what the user says, or not at all with an error."""

from __future__ import annotations

import pytest

from mitoscope.errors import ConfigError, UnknownLabelError
from mitoscope.labels import (
    ATYPICAL_FIGURE,
    FIELD_LABELS,
    IGNORED,
    LOOK_ALIKE,
    MITOTIC_FIGURE,
    LabelMapping,
    class_set,
)
from mitoscope.region import RegionKind


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Mitose", MITOTIC_FIGURE),
        ("Mitosefigur", MITOTIC_FIGURE),
        ("mitosis_figure", MITOTIC_FIGURE),
        ("look-alikes", LOOK_ALIKE),
        ("non-mitotic figures", LOOK_ALIKE),
        ("figura mitótica", MITOTIC_FIGURE),
        ("atypical mitotic figures", ATYPICAL_FIGURE),
    ],
)
def test_names_of_the_field(name: str, label: object) -> None:
    assert FIELD_LABELS.find(name) == label


def test_unknown_names_are_listed_with_counts_and_the_option() -> None:
    with pytest.raises(
        UnknownLabelError, match=r"'Zellteilung' \(3\), 'Tubule' \(1\).*--label \"Zellteilung=CLASS\""
    ):
        LabelMapping().map_names({"Mitose": 2, "Zellteilung": 3, "Tubule": 1}, where="truth.csv")


def test_what_the_user_states_comes_first() -> None:
    mapping = LabelMapping.parse(["Zellteilung=mitosis", "Tubule=ignore", "Mitose=look-alike"])
    counts = {"Mitose": 2, "zellteilung": 3, "Tubule": 1}
    assert mapping.map_names(counts, where="f") == {
        "Mitose": LOOK_ALIKE.name,
        "zellteilung": MITOTIC_FIGURE.name,
        "Tubule": IGNORED,
    }


def test_a_name_may_hold_the_sign_that_maps_it() -> None:
    mapping = LabelMapping.parse(["grade=2=look-alike"])
    assert mapping.map_names({"grade=2": 1}, where="f") == {"grade=2": LOOK_ALIKE.name}


@pytest.mark.parametrize("text", ["Mitose", "=mitosis", "Mitose=", "Mitose=megakaryocyte"])
def test_a_mapping_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        LabelMapping.parse([text])


def test_a_study_may_get_classes_of_its_own() -> None:
    mapping = LabelMapping.parse(["MK=megakaryocyte"], may_add=True)
    assert mapping.find("mk") == "megakaryocyte"
    assert class_set("ccmct, megakaryocyte").names[-1] == "megakaryocyte"


def test_names_of_outlines_are_no_classes_of_cells() -> None:
    mapping = LabelMapping.parse(["Zone 1=Tumor", "Zone 2=region of interest", "Zone 3=ignore", "A=Mitosis"])
    tumour, interest = RegionKind.TUMOUR, RegionKind.INTEREST
    assert mapping.outlines == {"zone1": tumour, "zone2": interest, "zone3": None, "a": None}
    with pytest.raises(UnknownLabelError, match="'Zone 1'"):
        mapping.map_names({"Zone 1": 3}, where="a.json")
    assert mapping.map_names({"Zone 3": 3, "a": 1}, where="a.json") == {
        "Zone 3": IGNORED,
        "a": "mitotic figure",
    }
