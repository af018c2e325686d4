"""A study that was made before versions held all of the ground truth opens, is migrated and says the same.

``made_before/study.mito.gz`` was written by the code of schema version 3 (``build.txt``).
"""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitoscope.curation.review import ask_third, conclude, open_review, review_state
from mitoscope.errors import ConflictError, VersionError
from mitoscope.store import (
    CaseWork,
    Policy,
    Store,
    read_case_work,
    read_tags,
    write_case_work,
    write_comment,
    write_tags,
)
from mitoscope.store.activity import ActivityKind, put_news_away, read_news, read_trail, write_activity
from mitoscope.store.chain import head_over
from mitoscope.store.schema import SCHEMA_VERSION
from mitoscope.store.signed import read_all_signed

MADE = Path(__file__).parent / "made_before" / "study.mito.gz"
# What the code of then said of these versions.
VERSIONS = {
    "MEL@1": {"mitotic figure": 6, "look-alike": 12},
    "MEL@2": {"mitotic figure": 12, "look-alike": 12},
    "ODAEL@1": {"mitotic figure": 10, "look-alike": 12},
    "imported@1": {"mitotic figure": 6, "look-alike": 6},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a copy of the file."""
    copy = tmp_path / "study.mito"
    copy.write_bytes(gzip.decompress(MADE.read_bytes()))
    return copy


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Return the migrated study."""
    with Store.open(path) as opened:
        yield opened


def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def test_opening_it_migrates_it_and_it_is_sound(path: Path) -> None:
    assert version_of(path) == 3
    with Store.open(path) as store:
        store.verify()
        store.backup(path.with_name("copy.mito"))
    assert version_of(path) == version_of(path.with_name("copy.mito")) == SCHEMA_VERSION


def test_who_only_reads_it_leaves_it_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    with Store.open(path, write=False) as store:
        assert store.ground_truth("MEL").counts() == VERSIONS["MEL@2"]
        assert review_state(store, "found").cells == 6
    assert path.read_bytes() == before


def test_its_labels_are_agreed_on_as_before(store: Store) -> None:
    counts = {policy: store.overview(policy).agreed for policy in Policy}
    assert counts[Policy.UNANIMOUS] == {"mitotic figure": 8, "look-alike": 12}
    assert counts[Policy.CONSENSUS] == {"mitotic figure": 11, "look-alike": 12}
    assert counts[Policy.MAJORITY] == {"mitotic figure": 12, "look-alike": 12}
    assert counts[Policy.RECORDED] == {"mitotic figure": 6, "look-alike": 0}


@pytest.mark.parametrize("name", VERSIONS)
def test_its_versions_are_read_as_ground_truth(store: Store, name: str) -> None:
    truth = store.ground_truth(name)
    assert truth.counts() == VERSIONS[name]
    assert "agreement is not stated" in truth.notes[0]
    assert {agreement for slide in truth for agreement in slide.cells.agreement} == {1.0}


def test_places_are_those_of_then(store: Store) -> None:
    # Cell 2 was moved and cell 3 deleted after the first version.
    first, second = (store.ground_truth(name).by_name["slide 2.svs"].cells for name in ("MEL@1", "MEL@2"))
    assert first.points_px0[first.cell_id == 2].tolist() == [[250, 300]]
    assert first.size_px0[first.cell_id == 2].tolist() == [[40, 30]]
    assert second.points_px0[second.cell_id == 2].tolist() == [[7, 8]]
    manifest = store.version("MEL@1").manifest
    assert (manifest.format, manifest.licences) == ("mitoscope data set 1", ("CC-BY-4.0",))
    sides = {slide.name: slide.side for slide in store.ground_truth("MEL@1")}
    assert sides == {"slide 1.svs": "train", "slide 2.svs": "validation", "slide 3.svs": "test"}


def test_its_versions_are_still_proved_by_their_hash(path: Path, store: Store) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE slide SET sha256 = 'other' WHERE id = 1")
    connection.close()
    with Store.open(path) as again, pytest.raises(VersionError, match="the hash of the slide 'slide 1"):
        again.ground_truth("MEL@1")


def test_its_reviews_are_rows_and_go_on(store: Store) -> None:
    found = review_state(store, "found")
    assert (found.cells, dict(found.read), found.disputed, found.next_step) == (
        6, {"expert 1": 6, "expert 2": 6}, 3, "done",
    )  # fmt: skip
    assert conclude(store, "found").written == 0
    assert (review_state(store, "doubts").waiting, review_state(store, "board").waiting) == (3, 1)
    third = review_state(store, "third expert")
    assert (third.cells, third.disputed, third.undecided) == (3, 3, 2)
    with pytest.raises(ConflictError, match="there is a round of the name 'Lot 1' already"):
        open_review(store, "Lot 1", [1])
    assert ask_third(store, "found") == 0


def test_regions_and_what_was_looked_at_are_kept(store: Store) -> None:
    truth = store.ground_truth()
    first, second, third = truth.slides
    assert first.regions.tumour is not None
    assert first.mpp is not None
    assert first.regions.tumour.area_mm2(first.mpp) == pytest.approx((2000 * 3000 - 500**2) / 16e6)
    assert first.stated_examined is not None
    assert first.stated_examined.source == "screened fields"
    assert first.stated_examined.contains([(10, 10), (1299, 499), (1301, 10), (10, 501)]).tolist() == [
        True, True, False, False,
    ]  # fmt: skip
    assert second.stated_examined is not None
    assert second.stated_examined.source == "regions of interest"
    assert third.stated_examined is None  # two of five reviewers have seen its tile
    with store.reading() as connection:
        (signed,) = read_all_signed(connection)
    assert signed.content == {"count": 12, "area_mm2": 2.37}


def test_what_is_looked_at_on_a_case_is_kept_in_it(store: Store) -> None:
    whose = {"round_id": 1, "rater_id": 1, "slide_id": 1}
    work = CaseWork(frozenset({3, 5}), frozenset({5}), frozenset({17}), ({"name": "edge", "x": 1.5},))
    with store.writing() as connection:
        assert read_case_work(connection, **whose) == CaseWork()
        write_case_work(connection, CaseWork(frozenset({3})), **whose)
        write_case_work(connection, work, **whose)
    with store.reading() as connection:
        assert read_case_work(connection, **whose) == work
        assert read_case_work(connection, **whose | {"slide_id": 2}) == CaseWork()


def test_comments_and_tags_are_kept_and_chained_in_it(store: Store) -> None:
    with store.writing() as connection:
        write_comment(connection, 1, "pyknotic?", rater_id=1, round_id=1)
        assert write_tags(connection, 1, ["pilot", "grade 2", "pilot"]) == ["grade 2", "pilot"]
    with store.reading() as connection:
        assert read_tags(connection) == {1: ["grade 2", "pilot"]}
        assert connection.execute("SELECT text FROM comment").fetchall() == [("pyknotic?",)]
        assert head_over(connection, "comment", 1) is not None
    store.verify()


def test_activities_are_kept_chained_and_news_to_whom_they_concern(store: Store) -> None:
    with store.writing() as connection:
        write_activity(connection, 1, ActivityKind.ROUND_OPENED, "spring", round_id=1, concerns=[2, 2])
        write_activity(connection, 1, ActivityKind.EXPORTED, "csv")
    with store.reading() as connection:
        (news,) = read_news(connection, 2)
        assert (news.kind, news.subject, news.round_id, news.rater_id) == ("opened the round", "spring", 1, 1)
        assert read_news(connection, 1) == []
        assert [activity.subject for activity in read_trail(connection, n=2)] == ["csv", "spring"]
        assert head_over(connection, "activity", 2) is not None
    with store.writing() as connection:
        put_news_away(connection, 2, news.id)
        assert read_news(connection, 2) == []
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("UPDATE activity SET rater_id = 2")
    store.verify()
