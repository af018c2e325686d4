"""The annotation store: who said what about which cell, in one SQLite file a study.

The names below are loaded on first use: who only writes a table of detections does not wait for SQL.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitoscope.region import RegionKind
    from mitoscope.store.access import (
        VISIT_S,
        Role,
        Visitor,
        begin_visit,
        end_visit,
        end_visits,
        find_token_holder,
        find_visitor,
        grant,
        open_raters,
        read_people,
        renew_token,
        set_open,
        token_of,
        visitor_of,
    )
    from mitoscope.store.actions import (
        Acknowledgement,
        CellEvent,
        Geometry,
        answered,
        has_key,
        last_event,
        once,
        record,
        was_done,
    )
    from mitoscope.store.activity import (
        Activity,
        ActivityKind,
        notes_of_reviews,
        put_news_away,
        read_news,
        read_trail,
        was_read,
        write_activity,
    )
    from mitoscope.store.board import (
        Board,
        BoardPlace,
        add_board,
        board_of_round,
        labels_before,
        read_board,
        read_centres,
        read_places,
    )
    from mitoscope.store.builder import StudyBuilder
    from mitoscope.store.case_work import CaseWork, read_case_work, write_case_work
    from mitoscope.store.columns import Cells, LabelEvents, Shape
    from mitoscope.store.comments import Comment, comments_seen, write_comment
    from mitoscope.store.comparison import (
        ComparedCell,
        RaterPair,
        ReadingCounts,
        cells_compared,
        compare_experts,
    )
    from mitoscope.store.crowd import (
        GOLD_NEEDED,
        OVERLAP_MIN,
        PASS_MARK,
        CrowdWork,
        Qualification,
        QualificationState,
        box_areas,
        boxes_agree,
        corners_of,
        intersection_areas,
        is_right,
        qualify,
        read_crowd_work,
        standing,
    )
    from mitoscope.store.dump import read_slides, slide_ids
    from mitoscope.store.examined import MINIMUM_REVIEWERS, examined_areas
    from mitoscope.store.ground_truth import agreed_of, ground_truth_of, regions_of, with_examined
    from mitoscope.store.ingest import (
        ImportReport,
        Source,
        add_slide,
        fit_study,
        state_resolution,
    )
    from mitoscope.store.known_truth import KnownCell, scored_points, settled_cells
    from mitoscope.store.manifest import FORMAT, Manifest, Query, parse_version
    from mitoscope.store.opinions import CROWD_THRESHOLD, Policy, agreed, agreed_by
    from mitoscope.store.outcomes import Standing, record_labels, record_outcome
    from mitoscope.store.overview import Overview, overrulings
    from mitoscope.store.pace import BREAK_S, WAITED_S, Pace, read_pace
    from mitoscope.store.progress import (
        SlideWork,
        WorkDone,
        WorkUnit,
        rounds_read,
        speaker_of,
        unit_of,
        work_done,
    )
    from mitoscope.store.public_ids import (
        PUBLIC_ID_MAX,
        TOKEN_DIGITS,
        SeenTokens,
        cell_of,
        live_cells_of,
        secret_of,
    )
    from mitoscope.store.quarantine import (
        CROSSES_ITSELF,
        DUPLICATE,
        HALF_SCALE,
        NOT_A_POLYGON,
        NOT_FINITE,
        OUTSIDE,
        REASONS,
        move_out,
        sift,
    )
    from mitoscope.store.queue import (
        MadeCell,
        Progress,
        ReadingOrder,
        added_cells,
        cells_made,
        count_listed,
        disputed,
        drawn_order,
        labels_in_round,
        last_labelled,
        list_cells,
        next_cells,
        read_progress,
        reading_order,
        total_progress,
    )
    from mitoscope.store.records import (
        UNSTATED_ROUND,
        Attributes,
        DatasetVersion,
        ModelSearch,
        QuarantineEntry,
        Rater,
        Region,
        Round,
        RoundKind,
        SlideRecord,
        Study,
    )
    from mitoscope.store.regions import (
        DrawnRegion,
        Interest,
        add_interest,
        delete_region,
        draw_region,
        drawn_by,
        edit_region,
        net_area_mm2,
        read_interest,
        read_interests,
        read_region,
        read_regions,
        remove_interest,
        restore_interest,
        restore_region,
        slide_of_region,
        slide_regions,
    )
    from mitoscope.store.reviews import (
        Review,
        ReviewPart,
        add_review,
        find_review,
        listed_cells,
        listed_in_reviews,
        open_part,
        read_review,
        read_reviews,
        read_turns,
        relabelled_on,
        review_of_round,
        rounds_of_cells,
        said_by,
        scores_in,
    )
    from mitoscope.store.screening import (
        Field,
        ScreeningState,
        begin_pass,
        read_plan,
        read_screening,
        visit_field,
        write_plan,
    )
    from mitoscope.store.searches import (
        SearchedCell,
        last_model,
        read_search,
        read_searches,
        searched_cells,
        unasked_on,
        write_search,
    )
    from mitoscope.store.seen_cell import SeenCell, cell_seen
    from mitoscope.store.sight import (
        CROWD_TASKS,
        Assignment,
        Operation,
        check_board,
        check_cell,
        check_drawn,
        is_unblinded,
        last_visible,
        permit,
        round_slides,
        sees_result,
        shows,
        slides_of,
        takes,
    )
    from mitoscope.store.signed import SignedResult, read_all_signed, read_signed, sign
    from mitoscope.store.slide_cells import SeenCells, cells_seen, centres_of, centres_on
    from mitoscope.store.slide_facts import SlideFacts, read_slide_facts
    from mitoscope.store.snapshot import made_once
    from mitoscope.store.staged import take_import
    from mitoscope.store.statements import last_statement
    from mitoscope.store.store import Store
    from mitoscope.store.tags import read_tags, write_tags
    from mitoscope.store.tasks import (
        TaskTile,
        TileAnswer,
        add_tiles,
        answer_tile,
        next_tile,
        read_answers,
        read_gold_tiles,
        read_tile,
        read_tiles,
        set_gold,
        state_of_tiles,
        tile_ids,
        tile_progress,
    )
    from mitoscope.store.terms import (
        CONSENSUS_RATER,
        RoundRow,
        ShowsCells,
        SpeaksAs,
        Terms,
        assign,
        read_assignments,
        read_position,
        read_round_row,
        read_round_rows,
        write_position,
        write_terms,
    )
    from mitoscope.store.versions import Frozen, read_manifests, write_version
    from mitoscope.store.vocabulary import (
        find_label,
        id_of,
        intern_labels,
        intern_raters,
        intern_rounds,
        read_identity,
        read_labels,
        read_raters,
        read_rounds,
        read_setting,
        rename_label,
        write_setting,
    )
    from mitoscope.truth import Domain, RaterKind

_NAMES = {
    "region": "RegionKind",
    "store.access": (
        "begin_visit end_visit end_visits find_token_holder find_visitor grant open_raters read_people "
        "renew_token Role set_open token_of VISIT_S Visitor visitor_of"
    ),
    "store.actions": "Acknowledgement answered CellEvent Geometry has_key last_event once record was_done",
    "store.board": (
        "add_board Board board_of_round BoardPlace labels_before read_board read_centres read_places"
    ),
    "store.builder": "StudyBuilder",
    "store.case_work": "CaseWork read_case_work write_case_work",
    "store.columns": "Cells LabelEvents Shape",
    "store.comparison": "cells_compared compare_experts ComparedCell RaterPair ReadingCounts",
    "store.comments": "Comment comments_seen write_comment",
    "store.activity": (
        "Activity ActivityKind notes_of_reviews put_news_away read_news read_trail was_read write_activity"
    ),
    "store.crowd": (
        "box_areas boxes_agree corners_of CrowdWork GOLD_NEEDED intersection_areas is_right OVERLAP_MIN "
        "PASS_MARK Qualification QualificationState qualify read_crowd_work standing"
    ),
    "store.dump": "read_slides slide_ids",
    "store.examined": "examined_areas MINIMUM_REVIEWERS",
    "store.ground_truth": "agreed_of ground_truth_of regions_of with_examined",
    "store.ingest": "add_slide fit_study ImportReport Source state_resolution",
    "store.manifest": "FORMAT Manifest parse_version Query",
    "store.opinions": "agreed agreed_by CROWD_THRESHOLD Policy",
    "store.outcomes": "record_labels record_outcome Standing",
    "store.overview": "overrulings Overview",
    "store.pace": "BREAK_S Pace read_pace WAITED_S",
    "store.progress": "rounds_read SlideWork speaker_of unit_of work_done WorkDone WorkUnit",
    "store.public_ids": "cell_of live_cells_of PUBLIC_ID_MAX secret_of SeenTokens TOKEN_DIGITS Veil",
    "store.quarantine": (
        "CROSSES_ITSELF DUPLICATE HALF_SCALE move_out NOT_A_POLYGON NOT_FINITE OUTSIDE REASONS sift"
    ),
    "store.queue": (
        "added_cells cells_made count_listed disputed drawn_order labels_in_round last_labelled list_cells "
        "MadeCell next_cells Progress read_progress reading_order ReadingOrder total_progress"
    ),
    "store.records": (
        "Attributes DatasetVersion ModelSearch QuarantineEntry Rater Region Round RoundKind SlideRecord "
        "Study UNSTATED_ROUND"
    ),
    "store.regions": (
        "add_interest delete_region draw_region drawn_by DrawnRegion edit_region Interest net_area_mm2 "
        "read_interest read_interests read_region read_regions remove_interest restore_interest "
        "restore_region slide_of_region slide_regions"
    ),
    "store.reviews": (
        "add_review find_review listed_cells listed_in_reviews open_part read_review read_reviews "
        "read_turns relabelled_on Review review_of_round ReviewPart rounds_of_cells said_by "
        "scores_in"
    ),
    "store.screening": "begin_pass Field read_plan read_screening ScreeningState visit_field write_plan",
    "store.known_truth": "KnownCell scored_points settled_cells",
    "store.snapshot": "made_once",
    "store.staged": "take_import",
    "store.searches": (
        "last_model read_search read_searches SearchedCell searched_cells unasked_on write_search"
    ),
    "store.sight": (
        "Assignment check_board check_cell check_drawn CROWD_TASKS is_unblinded "
        "last_visible Operation permit round_slides sees_result shows slides_of takes"
    ),
    "store.seen_cell": "cell_seen SeenCell",
    "store.signed": "read_all_signed read_signed sign SignedResult",
    "store.slide_cells": "cells_seen centres_of centres_on SeenCells",
    "store.slide_facts": "read_slide_facts SlideFacts",
    "store.statements": "last_statement",
    "store.store": "Store",
    "store.tags": "read_tags write_tags",
    "store.tasks": (
        "add_tiles answer_tile next_tile read_answers read_gold_tiles read_tile read_tiles set_gold "
        "state_of_tiles TaskTile tile_ids tile_progress TileAnswer"
    ),
    "store.terms": (
        "assign CONSENSUS_RATER read_assignments read_position read_round_row read_round_rows RoundRow "
        "ShowsCells SpeaksAs Terms write_position write_terms"
    ),
    "store.versions": "Frozen read_manifests write_version",
    "store.vocabulary": (
        "find_label id_of intern_labels intern_raters intern_rounds read_identity read_labels "
        "read_raters read_rounds read_setting rename_label write_setting"
    ),
    "truth": "Domain RaterKind",
}
"""The names of each module; type checkers read them above."""
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"mitoscope.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(_HOME)
