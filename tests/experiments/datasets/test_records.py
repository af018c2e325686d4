"""What is stated of the data sets is well-formed, and true where a copy of it is here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mitoscope.errors import ConfigError
from mitoscope.exchange.domains import read as read_domains
from mitoscope.exchange.format import ReadOptions
from mitoscope.experiments.datasets import Access, Dataset, datasets, find_dataset, orders
from mitoscope.experiments.datasets.match import file_names
from mitoscope.experiments.wsi import CCMCT, CMC
from tests.experiments.datasets.made import dataset

NAMES = {
    *("ccmct", "cmc", "midog21", "midog22", "midogpp", "tupac16"),
    *("mitos12", "mitos14", "ami-br", "brecahad", "midesec"),
}


def test_all_data_sets_are_there_under_their_names() -> None:
    assert {one.name for one in datasets()} == NAMES
    assert find_dataset(" MIDOG++ ").name == "midogpp"
    with pytest.raises(ConfigError, match=r"no data set of the name 'midog'.*there are ami-br"):
        find_dataset("midog")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_record_has_a_licence_a_source_and_files(name: str) -> None:
    one = find_dataset(name)
    assert one.licence.stated_in
    assert one.citation
    names = [path for key in one.files for path in file_names(one, key)]
    assert len(names) == len(set(names)) or name == "midesec"
    if one.access is Access.DOWNLOAD:
        addresses = [each.url for each in orders(one)]
        assert len(set(addresses)) == len(addresses)
        assert all(address.startswith("https://") and "{" not in address for address in addresses)


@pytest.mark.parametrize(
    ("name", "key", "count"),
    [
        ("ccmct", "slides", 32),
        ("cmc", "slides", 21),
        ("midog21", "images", 200),
        ("midog22", "images", 405),
        ("midogpp", "images", 503),
        ("brecahad", "images", 162),
        ("brecahad", "labels", 162),
        ("midesec", "training", 35),
        ("midesec", "test", 15),
    ],
)
def test_there_are_as_many_names_as_published(name: str, key: str, count: int) -> None:
    assert len(file_names(find_dataset(name), key)) == count


def test_the_databases_that_experiments_read_are_files_of_the_records() -> None:
    for one in (CMC, CCMCT):
        groups = find_dataset(one.name).files.values()
        known = {name for group in groups for name in (*group.names, *group.also_named)}
        assert {*one.variants.values(), one.outlines} <= known
    cmc = find_dataset("cmc")
    assert file_names(cmc, "odael") == ("MITOS_WSI_CMC_ODAEL_TR.sqlite",)
    assert cmc.files["odael"].optional


def test_an_unread_licence_is_said_to_be_unread() -> None:
    for name in ("ccmct", "cmc", "midog22"):
        licence = find_dataset(name).licence
        assert licence.name == "to be read"
        assert "not stated by the authors" in licence.stated_in
        assert any("read it before you use the data" in one for one in licence.forbids)


def test_addresses_belong_to_their_files() -> None:
    of = {each.path: each.url for each in orders(find_dataset("midogpp"))}
    assert of["images/001.tiff"] == "https://ndownloader.figshare.com/files/40282099"
    assert of["images/553.tiff"] == "https://ndownloader.figshare.com/files/40283740"
    assert of["MIDOG++.json"].endswith("/databases/MIDOG%2B%2B.json")
    slides = {each.path: each.url for each in orders(find_dataset("ccmct"))}
    assert slides["WSI/1018715d369dd0df2fc0.svs"].endswith("/16261562")
    assert orders(find_dataset("midog21"))[0].url == (
        "https://zenodo.org/records/4643381/files/001.tiff?download=1"
    )


def changed(**more: Any) -> dict[str, Any]:
    return {**dataset().model_dump(mode="json", exclude_none=True)["files"]["slides"], **more}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"colour": 1}, "'colour'"),
        ({"access": "page"}, "addresses of files are for data sets that are downloaded"),
        ({"files": {}}, "no group of files"),
        ({"files": {"a": changed(ids=[11, 12])}}, "3 names need as many different ids"),
        ({"files": {"a": changed(ids=[11, 12, 12])}}, "3 names need as many different ids"),
        ({"files": {"a": changed(names=["b.tiff"])}}, "exactly one of them"),
        ({"files": {"a": changed(checksums={"9.tiff": "md5:" + "0" * 32})}}, "no file of the group"),
        ({"files": {"a": changed(checksums={"001.tiff": "crc:1"})}}, "must be of the form"),
        (
            {"files": {"a": changed(pattern=None, numbers=[], named_as="b", suffix=".json")}},
            "no group of the",
        ),
        ({"page": "the web"}, "page"),
    ],
)
def test_a_record_that_does_not_fit_names_the_key(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        dataset(**values)


def test_records_survive_writing_and_reading(tmp_path: Path) -> None:
    one = find_dataset("brecahad")
    one.to_toml(tmp_path / "one.toml")
    assert Dataset.from_toml(tmp_path / "one.toml") == one


def test_the_documents_name_each_with_its_counts_and_licence(project: Path) -> None:
    text = (project / "docs" / "datasets.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    assert set(rows) >= NAMES
    for one in datasets():
        figures = one.contents.mitotic_figures
        assert ("not published" if figures is None else f"{figures:,}") in rows[one.name]
        assert one.licence.name in {"to be read", "own terms"} or one.licence.name in rows[one.name]
        assert one.access is not Access.DOWNLOAD or "`data get`" in rows[one.name]


@pytest.mark.realdata
def test_midogpp_is_what_its_own_files_say(data: Path) -> None:
    one = find_dataset("midogpp")
    whole = json.loads((data / "annotations" / "MIDOG++.json").read_text())
    labelled = {each["image_id"] for each in whole["annotations"]}
    table = read_domains(data / "annotations" / "datasets_xvalidation.csv", ReadOptions())
    names = {slide.name for slide in table.slides}
    assert set(file_names(one, "images")) == names
    assert {each["file_name"] for each in whole["images"] if each["id"] in labelled} <= names
    assert {each["name"] for each in whole["licenses"]} == {"CC0"}
    figures = sum(each["category_id"] == 1 for each in whole["annotations"])
    assert figures == one.contents.mitotic_figures


@pytest.mark.realdata
def test_midog_2021_is_what_its_own_file_says(data: Path) -> None:
    one = find_dataset("midog21")
    whole = json.loads((data / "annotations" / "MIDOG.json").read_text())
    assert {each["file_name"] for each in whole["images"]} == set(file_names(one, "images"))
    labels = [each["category_id"] for each in whole["annotations"]]
    assert (labels.count(1), labels.count(2)) == (one.contents.mitotic_figures, one.contents.look_alikes)
    assert one.licence.url is not None
    assert whole["licenses"][0]["url"].endswith("/licenses/by-nc-nd/2.0/")
    assert one.licence.url.endswith("/licenses/by-nc-nd/2.0/")
