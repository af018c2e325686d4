"""Frozen versions stay what they were, whatever happens to the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mitoscope.curation.changes import difference
from mitoscope.errors import (
    ConfigError,
    FormatError,
    LeakError,
    NoAgreedClassError,
    StoreDamagedError,
    StoreError,
    TruthError,
    VersionError,
)
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label, LabelSet
from mitoscope.store import (
    Geometry,
    Manifest,
    Policy,
    Query,
    Rater,
    Round,
    RoundKind,
    SlideRecord,
    Source,
    Store,
    write_version,
)
from tests.curation.making import scattered_truth
from tests.curation.simulated import SimulatedExpert, SimulatedStudy
from tests.store.session import Session

SCREENING = Round("screening", RoundKind.SCREENING)
UNANIMOUS = Query(policy=Policy.UNANIMOUS)


@pytest.fixture
def store(quick_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    with Store.create(quick_path / "versions.mito") as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> SimulatedStudy:
    """Return a study of 60 true cells on three slides, which nobody has labelled yet."""
    return SimulatedStudy(store, scattered_truth(20, slides=3))


@pytest.fixture
def screened(study: SimulatedStudy) -> SimulatedStudy:
    """Return a study of which one expert has labelled all 60 cells without a fault."""
    study.screen(SimulatedExpert("expert 1", miss={}, confusion=0), SCREENING)
    return study


def session(store: Store) -> Session:
    return Session(store, store.add_rater(Rater("expert 1")), store.open_round(SCREENING))


def test_a_manifest_says_what_was_frozen(screened: SimulatedStudy) -> None:
    split = {"slide 0.svs": "train", "slide 1.svs": "train", "slide 2.svs": "test"}
    frozen = screened.store.freeze("MEL", UNANIMOUS, split=split, licences="CC-BY-4.0", note="first")
    manifest = frozen.manifest
    assert (manifest.name, manifest.cells) == ("MEL 1", {LOOK_ALIKE.name: 30, MITOTIC_FIGURE.name: 30})
    assert [(one.name, one.split, one.licence) for one in manifest.slides] == [
        (name, side, "CC-BY-4.0") for name, side in split.items()
    ]
    assert manifest.licences == ("CC-BY-4.0",)
    assert Manifest.from_json(manifest.to_json(), where="text") == manifest
    assert screened.store.version("MEL") == frozen


def test_moves_labels_and_deletions_after_the_freeze_do_not_touch_it(screened: SimulatedStudy) -> None:
    store = screened.store
    before = store.freeze("MEL", UNANIMOUS)
    work = session(store)
    work.move(1, Geometry.spot(7, 7))
    work.label(2, 2 if before.label_of[2] == MITOTIC_FIGURE.name else 1)
    work.delete(3)
    assert store.version("MEL") == before
    after = store.freeze("MEL", UNANIMOUS)
    assert after.manifest.number == 2
    found = difference(before, after)
    assert [one.cell_id for one in found.lost] == [3]
    assert [one.after.cell_id for one in found.reclassed] == [2]
    assert [one.after.centre_px0 for one in found.moved] == [(7.0, 7.0)]
    assert found.gained == ()
    assert found.reclassed_by_labels() == {"mitotic figure → look-alike": 1}
    assert found.slides() == ("slide 0.svs",)
    backwards = difference(after, before)
    assert backwards.gained_by_label() == found.lost_by_label()


def test_a_version_is_frozen_while_others_write(screened: SimulatedStudy) -> None:
    store = screened.store
    before = store.ground_truth(policy=Policy.UNANIMOUS)
    draft, late = (store.draft_version("MEL", UNANIMOUS) for _ in range(2))
    with store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM version").fetchone() == (0,)
    reader = Session(store, 1, 1)
    reader.move(1, Geometry.spot(7.0, 8.0))
    reader.label(2, None)
    reader.delete(3)
    with store.writing() as connection:
        assert write_version(connection, draft)
    with store.writing() as connection:
        assert not write_version(connection, late)
    frozen = store.version("MEL")
    assert (frozen, frozen.truth.counts()) == (draft.frozen, before.counts())
    assert store.freeze("MEL", UNANIMOUS).name == "MEL 2"
    assert store.draft_version("MEL", UNANIMOUS).rows == {}
    store.verify()


def test_freezing_again_without_a_change_gives_the_same_version(screened: SimulatedStudy) -> None:
    first = screened.store.freeze("MEL", UNANIMOUS)
    assert screened.store.freeze("MEL", UNANIMOUS) == first
    assert screened.store.freeze("MEL", Query(policy=Policy.UNANIMOUS, labels=("look-alike",))) != first
    assert difference(first, first).slides() == ()


def test_another_licence_or_note_is_another_version_and_none_is_no_change(
    screened: SimulatedStudy,
) -> None:
    first = screened.store.freeze("MEL", UNANIMOUS, licences="CC0-1.0", note="first")
    assert screened.store.freeze("MEL", UNANIMOUS) == first
    other = screened.store.freeze("MEL", UNANIMOUS, licences="CC-BY-4.0")
    assert (other.manifest.number, other.manifest.licences) == (2, ("CC-BY-4.0",))
    assert screened.store.freeze("MEL", UNANIMOUS, note="second").manifest.note == "second"


def test_what_only_an_older_version_holds_is_a_new_version_of_its_hash(screened: SimulatedStudy) -> None:
    split = {"slide 0.svs": "train"}
    first = screened.store.freeze("MEL", UNANIMOUS, split=split)
    screened.store.freeze("MEL", UNANIMOUS)
    third = screened.store.freeze("MEL", UNANIMOUS, split=split)
    assert (third.manifest.number, third.manifest.sha256) == (3, first.manifest.sha256)
    assert screened.store.version("MEL") == third


@pytest.mark.parametrize("name", ["MEL@2", "MEL@", "MEL 2", " MEL", ""])
def test_a_variant_named_as_a_version_is_refused(screened: SimulatedStudy, name: str) -> None:
    with pytest.raises(VersionError, match="cannot be the name of a variant; leave out @"):
        screened.store.freeze(name, UNANIMOUS)


def test_a_query_chooses_and_what_it_names_must_be_there(screened: SimulatedStudy) -> None:
    store = screened.store
    store.open_round(Round("candidates", RoundKind.CANDIDATE_REVIEW), cells=[1, 2])
    store.open_round(Round("all", RoundKind.CANDIDATE_REVIEW), cells=range(1, 61))
    query = Query(policy=Policy.UNANIMOUS, slides=("slide 0.svs",), without=("candidates",))
    assert list(store.freeze("a", query).label_of) == list(range(3, 21))
    for odd, match in (
        ({"slides": ("x",)}, "no slide of the name 'x'"),
        ({"labels": ("x",)}, "no label of the name 'x'"),
        ({"without": ("x",)}, "no round of the name 'x'"),
        ({"tumour_types": ("x",)}, "no slide of the tumour type 'x'"),
        (
            {"labels": (LOOK_ALIKE.name,), "without": ("candidates", "all")},
            "no cell is left after",
        ),
    ):
        with pytest.raises(StoreError, match=match):
            store.freeze("a", UNANIMOUS.model_copy(update=odd))
    with pytest.raises(NoAgreedClassError, match="under 'crowd'; try --policy settled"):
        store.freeze("a", Query(policy=Policy.CROWD))
    with pytest.raises(StoreError, match="split: the query chooses no slide 'y'"):
        store.freeze("b", UNANIMOUS, split={"y": "train"})


def test_a_case_on_both_sides_is_refused_and_nothing_is_left(store: Store) -> None:
    from mitoscope.store import SlideRecord, StudyBuilder

    builder = StudyBuilder()
    for name in ("a", "b"):
        builder.slide(SlideRecord(name, case="one"))
    study = builder.build()
    store.import_study(study, source=Source("made"))
    work = session(store)
    work.label(work.create(1, Geometry.spot(1, 1)).cell_id, 1)
    with pytest.raises(LeakError, match="b: the same case as 'a', which is for train, this for test"):
        store.freeze("MEL", UNANIMOUS, split={"a": "train", "b": "test"})
    with pytest.raises(VersionError, match="no version 'MEL'; versions are none yet"):
        store.version("MEL")


def test_the_hash_is_of_the_content_and_not_of_the_store(quick_path: Path) -> None:
    hashes = set()
    for name, order in (("a", (1, 2)), ("b", (2, 1))):
        with Store.create(quick_path / name) as store:
            from mitoscope.store import SlideRecord

            slide = store.add_slide(SlideRecord("a.svs"))
            work = session(store)
            for number in order:
                work.label(work.create(slide, Geometry.spot(number, number)).cell_id, number)
            hashes.add(store.freeze("MEL", UNANIMOUS).manifest.sha256)
    assert len(hashes) == 1


def test_a_version_cannot_be_changed_and_a_change_by_force_is_noticed(screened: SimulatedStudy) -> None:
    store = screened.store
    store.freeze("MEL", UNANIMOUS)
    for sql in (
        "UPDATE version_manifest SET content = ''",
        "DELETE FROM version_manifest",
        "UPDATE version SET note = 'x'",
        "DELETE FROM version_cell",
    ):
        with pytest.raises(StoreError, match="a version is frozen"), store.writing() as connection:
            connection.execute(sql)
    # By force, past the triggers, as another program could.
    connection = sqlite3.connect(store.path)
    connection.execute("DROP TRIGGER version_cell_is_not_updated")
    connection.execute("UPDATE version_cell SET label_id = 3 - label_id WHERE cell_id = 1")
    connection.commit()
    connection.close()
    for reading in (lambda: store.version("MEL"), lambda: store.ground_truth("MEL@1")):
        with pytest.raises(StoreDamagedError, match="MEL 1: its content is not what was frozen"):
            reading()


def test_a_version_is_a_study_of_its_own(screened: SimulatedStudy, quick_path: Path) -> None:
    store = screened.store
    frozen = store.freeze("MEL", UNANIMOUS, split={"slide 0.svs": "train"})
    session(store).move(1, Geometry.spot(7, 7))
    study = store.version("MEL").study
    assert study == frozen.study
    points = np.concatenate([slide.cells.points_px0 for slide in frozen.truth])
    assert sorted(study.cells.centres_px0.tolist()) == sorted(points.tolist())
    with Store.create(quick_path / "other.mito") as other:
        other.import_study(study, source=Source("frozen"))
        again = other.freeze("MEL", Query(policy=Policy.RECORDED), split={"slide 0.svs": "train"})
        assert again.manifest.sha256 == frozen.manifest.sha256
        with pytest.raises(StoreError, match="not of one study"):
            difference(frozen, again)


def test_manifests_that_cannot_be_read() -> None:
    with pytest.raises(FormatError, match="not JSON"):
        Manifest.from_json("{", where="a.json")
    with pytest.raises(FormatError, match="not the manifest"):
        Manifest.from_json("[]", where="a.json")
    with pytest.raises(ConfigError, match=r"a\.json: key"):
        Manifest.from_json("{}", where="a.json")


def test_slides_that_changed_since_are_refused(screened: SimulatedStudy) -> None:
    store = screened.store
    with store.writing() as connection:
        connection.execute("UPDATE slide SET sha256 = ? || id", ("a" * 63,))
    store.freeze("MEL", split={"slide 0.svs": "train", "slide 1.svs": "test"})
    for change, match in (
        ("sha256 = 'b'", "the hash of the slide 'slide 0.svs' was aaaaaaaaaaaa… and is b… now"),
        ("width_px0 = 17", "the size of the slide 'slide 0.svs'"),
        ("mpp_x = 0.26", r"the resolution of the slide 'slide 0.svs' was 0\.25 µm/px"),
        ("mpp_y = NULL", "and is not known now"),
    ):
        column = change.partition(" ")[0]
        with store.writing() as connection:
            (before,) = connection.execute(f"SELECT {column} FROM slide WHERE id = 1").fetchone()
            connection.execute(f"UPDATE slide SET {change} WHERE id = 1")
        with pytest.raises(VersionError, match=match):
            store.ground_truth("MEL")
        with store.writing() as connection:
            connection.execute(f"UPDATE slide SET {column} = ? WHERE id = 1", (before,))
    assert any(slide.side for slide in store.ground_truth("MEL"))
    with store.writing() as connection:
        connection.execute("UPDATE slide SET case_name = 'one' WHERE id IN (1, 2)")
    with pytest.raises(LeakError, match="the same case"):
        store.ground_truth("MEL")


def test_identical_slides_on_both_sides_are_refused(screened: SimulatedStudy) -> None:
    with screened.store.writing() as connection:
        connection.execute("UPDATE slide SET sha256 = ?", ("a" * 64,))
    with pytest.raises(LeakError, match="the same pixels as"):
        screened.store.freeze("MEL", split={"slide 0.svs": "train", "slide 1.svs": "test"})


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("version_cell", "UPDATE version_cell SET agreement = 0.5 WHERE cell_id = 1"),
        ("version_slide", "UPDATE version_slide SET case_name = 'other' WHERE slide_id = 1"),
        ("version_slide", "UPDATE version_slide SET examined = 'whole slide' WHERE slide_id = 1"),
        ("version_region", "UPDATE version_region SET vertices_px0 = zeroblob(48)"),
        ("version_label", "UPDATE version_label SET name = 'megakaryocyte' WHERE label_id = 1"),
    ],
)
def test_each_part_of_a_version_stands_under_its_hash(
    screened: SimulatedStudy, table: str, change: str
) -> None:
    store = screened.store
    with store.writing() as connection:
        corners = np.array([(0, 0), (900, 0), (900, 900), (0, 900)], dtype=np.float64)
        connection.execute(
            "INSERT INTO region (slide_id, kind, name, vertices_px0) VALUES (1, 'tumour', 'T', ?)",
            (corners.tobytes(),),
        )
    store.freeze("MEL")
    assert store.verify().versions == 1
    with pytest.raises(StoreError, match="a version is frozen"), store.writing() as connection:
        connection.execute(change)
    with store.writing() as connection:  # by force, past the triggers
        connection.execute(f"DROP TRIGGER {table}_is_not_updated")
        connection.execute(change)
    with pytest.raises((StoreDamagedError, TruthError)):
        store.verify()


def test_classes_that_an_older_study_has_of_its_own_are_those_of_the_field(quick_path: Path) -> None:
    labels = LabelSet((Label("Mitose", "#e03131"), Label("other cell", "#868e96"), Label("MK", "#495057")))
    with Store.create(quick_path / "old.mito", labels=labels) as store:
        work, slide = session(store), store.add_slide(SlideRecord("a.svs"))
        for number in (1, 2, 3):
            work.label(work.create(slide, Geometry.spot(number, number)).cell_id, number)
        names = ["mitotic figure", "tumour cell", "MK"]
        assert list(store.freeze("MEL").label_of.values()) == names
        assert store.ground_truth().slides[0].cells.label.tolist() == names
        assert store.ground_truth("MEL").n_figures == 1
