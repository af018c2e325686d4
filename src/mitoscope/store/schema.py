"""The tables of a store, as ordered migrations.

Events are the truth: every creation, move, deletion, restoration and label is a row of ``event`` that is
never changed. ``cell`` (its geometry and whether it is deleted), ``cell_index``, ``label_now`` and the two
tallies are projections of the events, written in the same transaction and checked by ``verify``. Rows that
may change (slides, regions and so on) are stated in ``statement`` at each change (`store.statements`).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from mitoscope.store.public_ids import fill_public_ids
from mitoscope.store.statements import SCRIPT, state_what_is_there


def _kept(why: str, *tables: str) -> str:
    """Return the triggers by which no row of some tables is changed or taken out."""
    return "".join(
        f"CREATE TRIGGER {table}_is_not_{done} BEFORE {act} ON {table}\n"
        f"BEGIN SELECT RAISE (ABORT, '{why}'); END;\n"
        for table in tables
        for act, done in (("UPDATE", "updated"), ("DELETE", "deleted"))
    )


_PEOPLE = """
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    content TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE request (
    key TEXT PRIMARY KEY,
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    what TEXT NOT NULL,
    answer TEXT NOT NULL,
    time_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE access (
    rater_id INTEGER PRIMARY KEY REFERENCES rater (id),
    role TEXT NOT NULL CHECK (role IN ('lead', 'rater')),
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    token_sha256 TEXT UNIQUE,
    made_s REAL NOT NULL
) STRICT;
CREATE TABLE visit (
    cookie_sha256 TEXT PRIMARY KEY,
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    begun_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE assignment (
    round_id INTEGER NOT NULL REFERENCES round (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    PRIMARY KEY (round_id, rater_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE round_terms (
    round_id INTEGER PRIMARY KEY REFERENCES round (id),
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    shows_labels INTEGER NOT NULL CHECK (shows_labels IN (0, 1)),
    shows_cells TEXT NOT NULL CHECK (shows_cells IN ('own', 'all')),
    speaks_as TEXT NOT NULL CHECK (speaks_as IN ('rater', 'consensus')),
    slides TEXT,
    settings TEXT NOT NULL
) STRICT;
CREATE TABLE reading_order (
    round_id INTEGER NOT NULL REFERENCES round (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    seed INTEGER NOT NULL,
    PRIMARY KEY (round_id, rater_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE position (
    round_id INTEGER NOT NULL REFERENCES round (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    content TEXT NOT NULL,
    time_s REAL NOT NULL,
    PRIMARY KEY (round_id, rater_id)
) STRICT, WITHOUT ROWID;
"""

_SCREENING = """
CREATE TABLE field (
    round_id INTEGER NOT NULL REFERENCES round (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    number INTEGER NOT NULL,
    x_px0 REAL NOT NULL,
    y_px0 REAL NOT NULL,
    width_px0 REAL NOT NULL,
    height_px0 REAL NOT NULL,
    tissue REAL NOT NULL CHECK (tissue BETWEEN 0 AND 1),
    PRIMARY KEY (round_id, slide_id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE screening (
    round_id INTEGER NOT NULL REFERENCES round (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    pass INTEGER NOT NULL CHECK (pass > 0),
    field INTEGER,
    position TEXT,
    PRIMARY KEY (round_id, rater_id, slide_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE field_visit (
    round_id INTEGER NOT NULL REFERENCES round (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    pass INTEGER NOT NULL CHECK (pass > 0),
    number INTEGER NOT NULL,
    is_covered INTEGER NOT NULL CHECK (is_covered IN (0, 1)),
    seconds REAL NOT NULL CHECK (seconds >= 0),
    time_s REAL NOT NULL,
    PRIMARY KEY (round_id, rater_id, slide_id, pass, number)
) STRICT, WITHOUT ROWID;
"""

_RESULTS = """
CREATE TABLE interest (
    id INTEGER PRIMARY KEY,
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    name TEXT NOT NULL,
    x_px0 REAL NOT NULL,
    y_px0 REAL NOT NULL,
    width_px0 REAL NOT NULL CHECK (width_px0 > 0),
    height_px0 REAL NOT NULL CHECK (height_px0 > 0),
    made_s REAL NOT NULL,
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1))
) STRICT;
CREATE TABLE signed_result (
    id INTEGER PRIMARY KEY,
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    round_id INTEGER NOT NULL REFERENCES round (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    time_s REAL NOT NULL,
    content TEXT NOT NULL
) STRICT;
"""

_TASKS = """
CREATE TABLE task_tile (
    id INTEGER PRIMARY KEY,
    round_id INTEGER NOT NULL REFERENCES round (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    x_px0 REAL NOT NULL,
    y_px0 REAL NOT NULL,
    side_px0 REAL NOT NULL CHECK (side_px0 > 0),
    gold TEXT,
    UNIQUE (round_id, slide_id, x_px0, y_px0, side_px0)
) STRICT;
CREATE TABLE tile_answer (
    seq INTEGER PRIMARY KEY,
    tile_id INTEGER NOT NULL REFERENCES task_tile (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    time_s REAL NOT NULL,
    seconds REAL CHECK (seconds >= 0),
    content TEXT NOT NULL
) STRICT;
CREATE INDEX tile_answer_by_tile ON tile_answer (tile_id, rater_id);
CREATE VIEW tile_answer_now AS
SELECT tile_id, rater_id, max(seq) AS seq, min(seq) AS first_seq FROM tile_answer GROUP BY tile_id, rater_id;
CREATE TABLE board (
    id INTEGER PRIMARY KEY,
    round_id INTEGER NOT NULL UNIQUE REFERENCES round (id),
    columns INTEGER NOT NULL CHECK (columns > 0),
    rows INTEGER NOT NULL CHECK (rows > 0),
    cell_px INTEGER NOT NULL CHECK (cell_px > 0),
    made_s REAL NOT NULL
) STRICT;
CREATE TABLE board_place (
    board_id INTEGER NOT NULL REFERENCES board (id),
    cell_id INTEGER NOT NULL REFERENCES cell (id),
    column_ INTEGER NOT NULL,
    row_ INTEGER NOT NULL,
    before_label_id INTEGER REFERENCES label (id),
    PRIMARY KEY (board_id, cell_id)
) STRICT, WITHOUT ROWID;
"""


APPLICATION_ID = 0x6D69746F
"""``mito`` in ASCII; stands in the header of the file."""

BUCKET_SHIFT = 30
"""A cell's ``shuffle`` is a random number of 40 bits, its bucket the upper 10: 1,024 buckets a slide."""
SHUFFLE_BITS = 40

EVERY_CELL = 0
"""The scope of a round that covers all cells of the study, not a list of its own."""
WHOLE_SLIDE = -1
"""The bucket under which a tally holds the sum over a slide."""

_STUDY = """
CREATE TABLE study (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    uuid TEXT NOT NULL,
    seed INTEGER NOT NULL,
    created_s REAL NOT NULL
) STRICT;
CREATE TABLE migration (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_s REAL NOT NULL
) STRICT;
CREATE TABLE label (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    colour TEXT NOT NULL,
    aliases TEXT NOT NULL
) STRICT;
CREATE TABLE rater (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('expert', 'crowd', 'model', 'consensus')),
    attributes TEXT
) STRICT;
CREATE TABLE round (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    is_blinded INTEGER NOT NULL CHECK (is_blinded IN (0, 1)),
    is_listed INTEGER NOT NULL DEFAULT 0 CHECK (is_listed IN (0, 1))
) STRICT;
CREATE TABLE slide (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    sha256 TEXT,
    width_px0 INTEGER CHECK (width_px0 > 0),
    height_px0 INTEGER CHECK (height_px0 > 0),
    mpp_x REAL CHECK (mpp_x > 0),
    mpp_y REAL CHECK (mpp_y > 0),
    case_name TEXT,
    tumour_type TEXT,
    scanner TEXT,
    species TEXT,
    laboratory TEXT,
    attributes TEXT
) STRICT;
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    sha256 TEXT UNIQUE,
    imported_s REAL NOT NULL,
    cells INTEGER NOT NULL,
    labels INTEGER NOT NULL,
    quarantined INTEGER NOT NULL
) STRICT;
"""

_CELLS = """
CREATE TABLE cell (
    id INTEGER PRIMARY KEY,
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    shape INTEGER NOT NULL CHECK (shape BETWEEN 1 AND 4),
    x_min_px0 REAL NOT NULL,
    y_min_px0 REAL NOT NULL,
    x_max_px0 REAL NOT NULL,
    y_max_px0 REAL NOT NULL,
    z INTEGER NOT NULL DEFAULT 0,
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    shuffle INTEGER NOT NULL,
    guid TEXT,
    external_id TEXT,
    vertices_px0 BLOB,
    attributes TEXT
) STRICT;
CREATE UNIQUE INDEX cell_by_guid ON cell (guid) WHERE guid IS NOT NULL;
CREATE INDEX cell_in_random_order ON cell (slide_id, shuffle) WHERE is_deleted = 0;
CREATE VIRTUAL TABLE cell_index USING rtree (
    cell_id, x_min, x_max, y_min, y_max, slide_min, slide_max
);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('create', 'label', 'move', 'delete', 'restore')),
    cell_id INTEGER NOT NULL REFERENCES cell (id),
    rater_id INTEGER REFERENCES rater (id),
    round_id INTEGER REFERENCES round (id),
    label_id INTEGER REFERENCES label (id),
    time_s REAL,
    score REAL,
    seconds REAL,
    key TEXT,
    shape INTEGER,
    x_min_px0 REAL,
    y_min_px0 REAL,
    x_max_px0 REAL,
    y_max_px0 REAL,
    vertices_px0 BLOB,
    attributes TEXT,
    CHECK (kind <> 'label' OR (rater_id IS NOT NULL AND round_id IS NOT NULL)),
    CHECK ((kind IN ('create', 'move')) = (shape IS NOT NULL))
) STRICT;
CREATE INDEX event_by_cell ON event (cell_id);
CREATE UNIQUE INDEX event_by_key ON event (key) WHERE key IS NOT NULL;
CREATE TABLE label_now (
    cell_id INTEGER NOT NULL REFERENCES cell (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    round_id INTEGER NOT NULL REFERENCES round (id),
    label_id INTEGER REFERENCES label (id),
    score REAL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (cell_id, rater_id, round_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE round_cell (
    round_id INTEGER NOT NULL REFERENCES round (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    shuffle INTEGER NOT NULL,
    cell_id INTEGER NOT NULL REFERENCES cell (id),
    PRIMARY KEY (round_id, slide_id, shuffle, cell_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX round_by_cell ON round_cell (cell_id);
CREATE TABLE scope_tally (
    scope INTEGER NOT NULL,
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    bucket INTEGER NOT NULL,
    cells INTEGER NOT NULL CHECK (cells >= 0),
    PRIMARY KEY (scope, slide_id, bucket)
) STRICT, WITHOUT ROWID;
CREATE TABLE rater_tally (
    round_id INTEGER NOT NULL REFERENCES round (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    bucket INTEGER NOT NULL,
    cells INTEGER NOT NULL CHECK (cells >= 0),
    PRIMARY KEY (round_id, rater_id, slide_id, bucket)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    place TEXT NOT NULL,
    reason TEXT NOT NULL,
    content TEXT NOT NULL,
    slide_name TEXT
) STRICT;
"""

_VERSIONS = """
CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    variant TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    note TEXT NOT NULL,
    frozen_s REAL NOT NULL,
    UNIQUE (variant, number)
) STRICT;
CREATE TABLE version_cell (
    version_id INTEGER NOT NULL REFERENCES version (id),
    cell_id INTEGER NOT NULL REFERENCES cell (id),
    label_id INTEGER NOT NULL REFERENCES label (id),
    PRIMARY KEY (version_id, cell_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE version_split (
    version_id INTEGER NOT NULL REFERENCES version (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    split TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test')),
    PRIMARY KEY (version_id, slide_id)
) STRICT, WITHOUT ROWID;
"""

# What a version was frozen from and what it holds: the text is its canonical JSON (curation.freeze).
_MANIFESTS = """
CREATE TABLE version_manifest (
    version_id INTEGER PRIMARY KEY REFERENCES version (id),
    content TEXT NOT NULL
) STRICT;
"""

# A rater's opinion is the last label over all rounds; the rank counts the experts of a cell in the order in
# which they first spoke. In ``opinion`` the bare columns are those of the row with the maximum (SQLite's rule
# for a single max). MIDOG++ and CMC: two experts, and a third where they disagree.
_AGREED = """
CREATE VIEW opinion AS
SELECT n.cell_id, n.rater_id, r.kind, n.label_id, n.score, max(n.last_seq) AS last_seq,
       (SELECT min(o.first_seq) FROM label_now AS o
        WHERE o.cell_id = n.cell_id AND o.rater_id = n.rater_id) AS first_seq
FROM label_now AS n JOIN rater AS r ON r.id = n.rater_id
GROUP BY n.cell_id, n.rater_id;
CREATE VIEW expert_opinion AS
SELECT cell_id, rater_id, label_id,
       row_number() OVER (PARTITION BY cell_id ORDER BY first_seq) AS rank
FROM opinion WHERE kind = 'expert' AND label_id IS NOT NULL;
CREATE VIEW first_three AS
SELECT cell_id, max(CASE rank WHEN 1 THEN label_id END) AS first,
       max(CASE rank WHEN 2 THEN label_id END) AS second,
       max(CASE rank WHEN 3 THEN label_id END) AS third
FROM expert_opinion WHERE rank <= 3 GROUP BY cell_id;
CREATE VIEW agreed_recorded AS
SELECT cell_id, label_id, max(last_seq) AS last_seq
FROM opinion WHERE kind = 'consensus' GROUP BY cell_id;
CREATE VIEW agreed_unanimous AS
SELECT cell_id, CASE WHEN min(label_id) = max(label_id) THEN min(label_id) END AS label_id
FROM opinion WHERE kind IN ('expert', 'crowd') AND label_id IS NOT NULL GROUP BY cell_id;
CREATE VIEW agreed_consensus AS
SELECT f.cell_id, CASE WHEN f.first = f.second THEN f.first ELSE a.label_id END AS label_id
FROM first_three AS f LEFT JOIN agreed_recorded AS a ON a.cell_id = f.cell_id;
CREATE VIEW agreed_majority AS
SELECT cell_id,
       CASE WHEN first = second THEN first WHEN third IN (first, second) THEN third END AS label_id
FROM first_three;
CREATE VIEW crowd_score AS
SELECT o.cell_id, o.label_id, total(ifnull(o.score, 1.0)) / c.raters AS score
FROM opinion AS o
JOIN (SELECT cell_id, count(*) AS raters FROM opinion
      WHERE kind = 'crowd' AND label_id IS NOT NULL GROUP BY cell_id) AS c ON c.cell_id = o.cell_id
WHERE o.kind = 'crowd' AND o.label_id IS NOT NULL
GROUP BY o.cell_id, o.label_id;
CREATE VIEW agreed_crowd AS
SELECT cell_id, label_id, score
FROM (SELECT *, row_number() OVER (PARTITION BY cell_id ORDER BY score DESC, label_id) AS rank
      FROM crowd_score)
WHERE rank = 1;
"""

# Regions of interest beside tumour and exclusion: SQLite cannot change a CHECK, so the tables are made anew.
_REGION = """
CREATE TABLE {name} (
    id INTEGER PRIMARY KEY,
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    kind TEXT NOT NULL CHECK (kind IN ({kinds})),
    name TEXT NOT NULL,
    vertices_px0 BLOB NOT NULL
) STRICT;
"""
_REGION_EVENT = """
CREATE TABLE {name} (
    seq INTEGER PRIMARY KEY,
    region_id INTEGER NOT NULL,
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    action TEXT NOT NULL CHECK (action IN ('create', 'edit', 'delete', 'restore')),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    time_s REAL NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ({kinds})),
    name TEXT NOT NULL,
    vertices_px0 BLOB NOT NULL
) STRICT;
"""
_TWO_KINDS, _THREE_KINDS = "'tumour', 'exclusion'", "'tumour', 'exclusion', 'region of interest'"
_REGION_INDEX = "CREATE INDEX region_by_slide ON region (slide_id);\n"
_REGION_EVENT_INDEX = "CREATE INDEX region_event_by_region ON region_event (region_id);\n"


def _made_anew(table: str, script: str, index: str) -> str:
    made = script.format(name=f"{table}_anew", kinds=_THREE_KINDS)
    filled = f"INSERT INTO {table}_anew SELECT * FROM {table};\nDROP TABLE {table};\n"  # noqa: S608
    return f"{made}{filled}ALTER TABLE {table}_anew RENAME TO {table};\n{index}"


# Versions hold all of the ground truth: agreement, and slides, regions and examined areas as they were. A
# review is a row of its own with its rounds; before, it was a pattern in the names of rounds. The views by
# which classes were agreed upon are gone: `truth` has the one rule.
_WHOLE_VERSIONS = """
ALTER TABLE slide ADD COLUMN examined TEXT;
ALTER TABLE version ADD COLUMN seq INTEGER;
ALTER TABLE version_cell ADD COLUMN agreement REAL CHECK (agreement BETWEEN 0 AND 1);
CREATE TABLE version_label (
    version_id INTEGER NOT NULL REFERENCES version (id),
    label_id INTEGER NOT NULL REFERENCES label (id),
    name TEXT NOT NULL,
    PRIMARY KEY (version_id, label_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE version_slide (
    version_id INTEGER NOT NULL REFERENCES version (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    sha256 TEXT,
    width_px0 INTEGER,
    height_px0 INTEGER,
    mpp_x REAL,
    mpp_y REAL,
    case_name TEXT,
    tumour_type TEXT,
    scanner TEXT,
    species TEXT,
    laboratory TEXT,
    examined TEXT,
    examined_px0 BLOB,
    PRIMARY KEY (version_id, slide_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE version_region (
    id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES version (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    kind TEXT NOT NULL CHECK (kind IN ('tumour', 'exclusion', 'region of interest')),
    name TEXT NOT NULL,
    vertices_px0 BLOB NOT NULL
) STRICT;
CREATE INDEX version_region_by_version ON version_region (version_id);
CREATE TABLE review (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL
) STRICT;
CREATE TABLE review_round (
    round_id INTEGER PRIMARY KEY REFERENCES round (id),
    review_id INTEGER NOT NULL REFERENCES review (id),
    part TEXT NOT NULL CHECK (part IN ('first', 'second read', 'third expert', 'outcome', 'proposals'))
) STRICT;
CREATE INDEX review_round_by_review ON review_round (review_id);
DROP VIEW agreed_crowd;
DROP VIEW crowd_score;
DROP VIEW agreed_majority;
DROP VIEW agreed_consensus;
DROP VIEW agreed_unanimous;
DROP VIEW agreed_recorded;
DROP VIEW first_three;
DROP VIEW expert_opinion;
DROP VIEW opinion;
"""
_PARTS = ("second read", "third expert", "outcome", "proposals")
_BIN = re.compile(r"(.+), bin \d+ of \d+")


def reviews_from_names(connection: sqlite3.Connection) -> None:
    """Make rows of the reviews that were a pattern in the names of rounds.

    A review NAME was a round ``NAME``, or some ``NAME, bin 1 of 10``; then ``NAME, second read`` and so on.
    """
    rounds = connection.execute("SELECT id, name, kind, is_listed FROM round ORDER BY id").fetchall()
    reviews: dict[str, int] = {}

    def add(name: str, kind: str, round_id: int, part: str) -> None:
        if name not in reviews:
            row = connection.execute("INSERT INTO review (name, kind) VALUES (?, ?)", (name, kind))
            reviews[name] = int(row.lastrowid or 0)
        sql = "INSERT INTO review_round (round_id, review_id, part) VALUES (?, ?, ?)"
        connection.execute(sql, (round_id, reviews[name], part))

    for id_, name, kind, is_listed in rounds:
        if is_listed and kind in ("candidate review", "board review"):
            bin_ = _BIN.fullmatch(name)
            add(name if bin_ is None else bin_[1], kind, id_, "first")
    for id_, name, kind, is_listed in rounds:
        base, comma, part = name.rpartition(", ")
        if comma and part in _PARTS and base in reviews:
            add(base, kind, id_, part)
        elif is_listed and kind == "third expert":
            add(name, kind, id_, "third expert")


# By which the browser knows a cell (public_ids).
_PUBLIC_IDS = """
ALTER TABLE cell ADD COLUMN public_id INTEGER;
CREATE UNIQUE INDEX cell_by_public_id ON cell (public_id);
"""


# What the candidates of a slide came with (searches).
_SEARCHES = """
CREATE TABLE search (
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    threshold REAL CHECK (threshold BETWEEN 0 AND 1),
    is_calibrated INTEGER CHECK (is_calibrated IN (0, 1)),
    region TEXT,
    gaps TEXT NOT NULL,
    origin TEXT NOT NULL,
    time_s REAL NOT NULL,
    PRIMARY KEY (slide_id, rater_id)
) STRICT, WITHOUT ROWID;
"""

CHAIN_MIGRATION = "what was said and signed, chained by hashes"
_CHAIN = """
CREATE TABLE renaming (
    id INTEGER PRIMARY KEY,
    label_id INTEGER NOT NULL REFERENCES label (id),
    old_name TEXT NOT NULL,
    new_name TEXT NOT NULL,
    time_s REAL NOT NULL
) STRICT;
CREATE INDEX renaming_by_label ON renaming (label_id);
CREATE TABLE link (
    number INTEGER PRIMARY KEY,
    table_ TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    total INTEGER NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('written', 'migrated', 'foreign')),
    time_s REAL NOT NULL,
    checks BLOB NOT NULL,
    sha256 BLOB NOT NULL
) STRICT;
CREATE INDEX link_by_row ON link (table_, first);
CREATE TABLE chain_end (
    table_ TEXT PRIMARY KEY,
    last INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sha256 BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _chain_what_is_there(connection: sqlite3.Connection) -> None:
    from mitoscope.store.chain import (  # pydantic: not for who opens a file of this version
        FIRST_TABLES,
        Origin,
        extend,
    )

    extend(connection, Origin.MIGRATED, tables=FIRST_TABLES)


STATEMENTS_MIGRATION = "what rows that may change state, chained"


def _state_what_is_there(connection: sqlite3.Connection) -> None:
    from mitoscope.store.chain import FIRST_TABLES, STATED_TABLES, Origin, extend

    extend(connection, Origin.FOREIGN, tables=FIRST_TABLES)
    state_what_is_there(connection)
    extend(connection, Origin.MIGRATED, tables=STATED_TABLES)


# What raters remark on cells, the last word of a rater in a round holding, and by which slides are found.
_REMARKS = """
CREATE TABLE comment (
    id INTEGER PRIMARY KEY,
    cell_id INTEGER NOT NULL REFERENCES cell (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    round_id INTEGER NOT NULL REFERENCES round (id),
    text TEXT NOT NULL,
    time_s REAL NOT NULL
) STRICT;
CREATE INDEX comment_by_cell ON comment (cell_id);
CREATE TABLE slide_tag (
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    tag TEXT NOT NULL,
    PRIMARY KEY (slide_id, tag)
) STRICT, WITHOUT ROWID;
"""

# By which a blinded rater's last visible event of a cell is found among labels that stay hidden (sight).
_CHANGES = """
CREATE INDEX event_of_change ON event (cell_id) WHERE kind IN ('move', 'delete', 'restore');
"""

# What a rater has looked at and kept on a case before signing it (case_work).
_CASE_WORK = """
CREATE TABLE case_work (
    round_id INTEGER NOT NULL REFERENCES round (id),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    content TEXT NOT NULL,
    time_s REAL NOT NULL,
    PRIMARY KEY (round_id, rater_id, slide_id)
) STRICT, WITHOUT ROWID;
"""

# Who did what when, beside cells and labels, and up to which of these a rater has put the news away.
_ACTIVITY = """
CREATE TABLE activity (
    id INTEGER PRIMARY KEY,
    time_s REAL NOT NULL,
    rater_id INTEGER REFERENCES rater (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    round_id INTEGER REFERENCES round (id),
    concerns TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX activity_by_round ON activity (round_id, kind);
CREATE TABLE news_seen (
    rater_id INTEGER PRIMARY KEY REFERENCES rater (id),
    activity_id INTEGER NOT NULL
) STRICT;
"""

# By which a rater's last labels in a round are found among those of all (queue).
_LABELS_BY_RATER = """
CREATE INDEX label_by_rater ON label_now (rater_id, round_id, last_seq) WHERE label_id IS NOT NULL;
"""


# Known answers of tiles that were stated after these were made; the last one holds (tasks).
_GOLD = """
CREATE TABLE tile_gold (
    seq INTEGER PRIMARY KEY,
    tile_id INTEGER NOT NULL REFERENCES task_tile (id),
    gold TEXT,
    time_s REAL NOT NULL
) STRICT;
CREATE INDEX tile_gold_by_tile ON tile_gold (tile_id, seq);
CREATE VIEW task_tile_now AS
SELECT t.id, t.round_id, t.slide_id, t.x_px0, t.y_px0, t.side_px0,
       CASE WHEN g.seq IS NULL THEN t.gold ELSE g.gold END AS gold
FROM task_tile AS t LEFT JOIN tile_gold AS g ON g.seq = (SELECT max(seq) FROM tile_gold WHERE tile_id = t.id);
"""


# What an import has yet to write, in pieces (staged).
_IMPORTS = """
CREATE TABLE pending_import (
    key TEXT PRIMARY KEY,
    ids TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE pending_piece (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    made_s REAL NOT NULL,
    content BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, of which the version is its place in the list, from 1.

    ``fill`` is what it does to the rows that are there, in the same transaction.
    """

    name: str
    script: str
    fill: Callable[[sqlite3.Connection], None] | None = None


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "slides, raters, cells, events, versions, agreed views",
        _STUDY
        + _CELLS
        + _REGION.format(name="region", kinds=_TWO_KINDS)
        + _REGION_INDEX
        + _VERSIONS
        + _AGREED
        + _kept("events are append-only", "event")
        + _kept("a version is frozen", "version_cell", "version_split"),
    ),
    Migration(
        "manifests of versions", _MANIFESTS + _kept("a version is frozen", "version_manifest", "version")
    ),
    Migration(
        "work in the browser",
        _PEOPLE
        + _SCREENING
        + _REGION_EVENT.format(name="region_event", kinds=_TWO_KINDS)
        + _REGION_EVENT_INDEX
        + _RESULTS
        + _TASKS
        + _kept("events are append-only", "region_event")
        + _kept("a result is signed", "signed_result")
        + _kept("answers are append-only", "tile_answer"),
    ),
    Migration(
        "regions of interest",
        _made_anew("region", _REGION, _REGION_INDEX)
        + _made_anew("region_event", _REGION_EVENT, _REGION_EVENT_INDEX)
        + _kept("events are append-only", "region_event"),
    ),
    Migration("random public ids of cells", _PUBLIC_IDS, fill_public_ids),
    Migration(
        "versions with all of the ground truth, reviews",
        _WHOLE_VERSIONS + _kept("a version is frozen", "version_label", "version_slide", "version_region"),
        reviews_from_names,
    ),
    Migration("searches of models", _SEARCHES),
    Migration("an index of the changes of cells", _CHANGES),
    Migration(
        CHAIN_MIGRATION,
        _CHAIN + _kept("events are append-only", "renaming") + _kept("the chain is append-only", "link"),
        _chain_what_is_there,
    ),
    Migration(
        "doubts of the colours that a model searched",
        "ALTER TABLE search ADD COLUMN colour_doubt TEXT NOT NULL DEFAULT '';",
    ),
    Migration(
        STATEMENTS_MIGRATION,
        SCRIPT + _kept("statements are append-only", "statement"),
        _state_what_is_there,
    ),
    Migration("what was looked at on a case", _CASE_WORK),
    Migration("comments on cells, tags of slides", _REMARKS + _kept("comments are append-only", "comment")),
    Migration("who did what, and news", _ACTIVITY + _kept("activities are append-only", "activity")),
    Migration("an index of what raters said last", _LABELS_BY_RATER),
    Migration(
        "known answers of tiles, stated later", _GOLD + _kept("known answers are append-only", "tile_gold")
    ),
    Migration("imports in pieces", _IMPORTS),
)

SCHEMA_VERSION = len(MIGRATIONS)
"""The version that this mitoscope writes, in ``user_version``."""


def statements(script: str) -> list[str]:
    """Split a script into its statements; those of a trigger's body stay with the trigger."""
    parts: list[str] = []
    current = ""
    for line in script.splitlines():
        current = f"{current}\n{line}".strip()
        if sqlite3.complete_statement(current):
            parts.append(current.removesuffix(";"))
            current = ""
    return parts
