"""The tables of the work in the browser: who may come in, who does what, and where everybody stands.

Cells and labels are events as everywhere (:mod:`mitoscope.store.schema`). Here stand what surrounds them, and
the work that is not about cells: regions, fields of a screening, tiles of the crowd, boards, signed results.
"""

from __future__ import annotations

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

_REGIONS = """
CREATE TABLE region_event (
    seq INTEGER PRIMARY KEY,
    region_id INTEGER NOT NULL,
    slide_id INTEGER NOT NULL REFERENCES slide (id),
    action TEXT NOT NULL CHECK (action IN ('create', 'edit', 'delete', 'restore')),
    rater_id INTEGER NOT NULL REFERENCES rater (id),
    time_s REAL NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('tumour', 'exclusion')),
    name TEXT NOT NULL,
    vertices_px0 BLOB NOT NULL
) STRICT;
CREATE INDEX region_event_by_region ON region_event (region_id);
CREATE TRIGGER region_event_is_not_updated BEFORE UPDATE ON region_event
BEGIN SELECT RAISE (ABORT, 'events are append-only'); END;
CREATE TRIGGER region_event_is_not_deleted BEFORE DELETE ON region_event
BEGIN SELECT RAISE (ABORT, 'events are append-only'); END;
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
CREATE TRIGGER signed_result_is_not_updated BEFORE UPDATE ON signed_result
BEGIN SELECT RAISE (ABORT, 'a result is signed'); END;
CREATE TRIGGER signed_result_is_not_deleted BEFORE DELETE ON signed_result
BEGIN SELECT RAISE (ABORT, 'a result is signed'); END;
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
CREATE TRIGGER tile_answer_is_not_updated BEFORE UPDATE ON tile_answer
BEGIN SELECT RAISE (ABORT, 'answers are append-only'); END;
CREATE TRIGGER tile_answer_is_not_deleted BEFORE DELETE ON tile_answer
BEGIN SELECT RAISE (ABORT, 'answers are append-only'); END;
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

WORK_SCRIPT = _PEOPLE + _SCREENING + _REGIONS + _TASKS
