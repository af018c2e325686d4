"""``mitoscope curate``: the real command, from screening to frozen versions and a board."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import pytest

from mitoscope import cli
from mitoscope.curation.board.coordinates import CellPoints, write_points
from mitoscope.detections import Detections
from mitoscope.exchange import detections_csv
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.loops.board import labels_before
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.store import Rater, Round, RoundKind, Store
from tests.curation.making import scattered_truth
from tests.curation.simulated import SimulatedExpert, SimulatedStudy
from tests.exchange.tables import write_many
from tests.store.session import Session

EXPERTS = [SimulatedExpert(f"expert {n}", miss={MITOTIC_FIGURE.name: 0.3}, confusion=0.1) for n in (1, 2, 3)]


def run(*arguments: object, status: int = 0) -> str:
    """Run the command in this process, border and all; what it printed, or its one line of error."""
    out, err = StringIO(), StringIO()
    with (
        mock.patch("sys.argv", ["mitoscope", "curate", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
        warnings.catch_warnings(),
        pytest.raises(SystemExit) as left,
    ):
        cli.run()
    assert int(left.value.code or 0) == status, out.getvalue() + err.getvalue()
    if status:
        assert err.getvalue().startswith("error: ")
        assert err.getvalue().count("\n") == 1
        return err.getvalue()
    return out.getvalue()


def run_json(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in which a flush to disk costs nothing."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def study(folder: Path) -> Path:
    """Return a store of three slides, screened by one expert and read by a second."""
    path = folder / "study.mito"
    with Store.create(path) as store:
        simulated = SimulatedStudy(store, scattered_truth(30, slides=3))
        simulated.screen(EXPERTS[0], Round("screening", RoundKind.SCREENING))
        store.open_round(Round("second read", RoundKind.SECOND_READ))
        simulated.read(EXPERTS[1], "second read")
    return path


def read(study: Path, expert: SimulatedExpert, *rounds: str) -> None:
    with Store.open(study) as store:
        simulated = SimulatedStudy(store, scattered_truth(30, slides=3))
        for name in rounds:
            simulated.read(expert, name)


def detections(folder: Path) -> Path:
    """Write what a faultless detector finds: every true cell, figures with high scores."""
    found = {}
    for slide, cells in scattered_truth(30, slides=3).items():
        score = [0.95 if label == MITOTIC_FIGURE.name else 0.15 for label in cells.label]
        found[slide.name] = Detections.of(cells.points_px0, score)
    write_many(folder / "found.csv", found)
    return folder / "found.csv"


def test_missed_figures_from_candidates_to_gains(folder: Path, study: Path) -> None:
    before = run_json("freeze", study, "MEL", "--licence", "CC0-1.0", "--out", folder / "MEL.json")
    written = json.loads((folder / "MEL.json").read_text(encoding="utf-8"))
    assert {name: written[name] for name in before} == before  # and its cells beside it
    found = detections(folder)
    done = run_json("candidates", study, "odael", "--pred", found)
    assert done["found"] == 90
    assert done["candidates"] == 90 - done["known"] == sum(done["bins"].values())
    assert run_json("candidates", study, "odael", "--pred", found)["repeated"]
    rounds = [f"odael, bin {number} of 10" for number in done["bins"]]
    read(study, EXPERTS[0], *rounds)
    wait = run("review", study, "odael", "--conclude", status=1)
    assert "wait for a reading" in wait
    read(study, EXPERTS[1], *rounds)
    asked = run_json("review", study, "odael", "--third-expert")
    if asked["third_expert"]:
        read(study, EXPERTS[2], "odael, third expert")
    state = run_json("review", study, "odael", "--conclude")
    assert state["next_step"] == "done"
    assert "next: done" in run("review", study, "odael")
    after = run_json("freeze", study, "ODAEL")
    assert (before["number"], after["number"]) == (1, 1)
    changed = run_json("diff", study, "MEL", "ODAEL@1", "--out", folder / "diff.csv")
    assert sum(changed["gained"].values()) == len((folder / "diff.csv").read_text().splitlines()) - 1 > 0
    gained = run_json("gains", study, "MEL", "ODAEL")
    assert gained["total"]["figures"][1] > gained["total"]["figures"][0]
    assert round(gained["published"]["figures_percent"], 2) == 6.06
    assert "number of figures: low" in run("gains", study, "MEL", "ODAEL")
    assert "gained" in run("diff", study, "MEL", "ODAEL")


def test_a_version_is_frozen_under_the_classes_that_the_user_says(study: Path) -> None:
    before = run_json("freeze", study, "MEL")["cells"]
    both = run_json("freeze", study, "ALL", "--label", "Mitosis=look-alike")
    assert both["cells"] == {"look-alike": sum(before.values())}
    assert both["query"]["label_names"] == {"mitotic figure": "look-alike"}
    swapped = ("--label", "mitotic figure=look-alike", "--label", "look-alike=mitotic figure")
    assert run_json("freeze", study, "SWAP", *swapped)["cells"] == {
        "mitotic figure": before["look-alike"],
        "look-alike": before["mitotic figure"],
    }
    figures = {"mitotic figure": before["mitotic figure"]}
    assert run_json("freeze", study, "SOME", "--label", "look-alike=ignore")["cells"] == figures
    assert run_json("freeze", study, "SOME", "--class", "mitotic figure")["cells"] == figures
    assert "no class 'mine'" in run("freeze", study, "X", "--label", "look-alike=mine", status=2)
    assert "no label of the name 'mine'" in run("freeze", study, "X", "--label", "mine=ignore", status=2)


def test_candidates_are_the_figures_by_what_the_user_says_of_names(folder: Path, study: Path) -> None:
    lines = ["image,x,y,score,label", "slide 0.svs,2,2,0.9,Teilungsbild", "slide 0.svs,150,2,0.8,look-alike"]
    pred = folder / "named.csv"
    pred.write_text("\n".join([*lines, "slide 0.svs,2,150,0.7,Tubule"]) + "\n", encoding="utf-8")
    refused = run("candidates", study, "odael", "--pred", pred, status=2)
    assert "Teilungsbild" in refused
    assert "--label" in refused
    mapped = ("--label", "Teilungsbild=mitotic figure", "--label", "Tubule=ignore")
    assert run_json("candidates", study, "odael", "--pred", pred, *mapped)["found"] == 1
    chosen = run_json(
        "select", study, "--pred", pred, "--out", folder / "tiles.csv", "--above", "0.5", *mapped
    )
    assert chosen["chosen"] >= 1


def test_a_review_can_be_read_from_pictures(folder: Path, study: Path) -> None:
    for number in range(3):
        write_slide(
            folder / f"slide {number}.tiff", SyntheticSlideConfig.of(width=256, height=256, seed=number)
        )
    points = [[30.0 + 40 * n, 60.0] for n in range(6)]
    detections_csv.write(folder / "slide 0.csv", Detections.of(points, [0.9, 0.1, 0.8, 0.2, 0.7, 0.3]))
    run("candidates", study, "odael", "--pred", folder / "slide 0.csv")
    done = run_json("crops", study, "odael", "--slides", folder, "--out", folder / "blind", "--crop", 64)
    lines = (folder / "blind" / "answers.csv").read_text(encoding="utf-8").split()
    cells = [line.rstrip(",") for line in lines[1:]]
    shown = {one.name for one in (folder / "blind").iterdir() if not one.name.startswith(".")}
    assert shown == {"answers.csv", *(f"{c}.png" for c in cells)}
    assert done["crops"] == len(cells) == 6
    # Neither names nor order tell the score: cells are numbered by place, and listed in the store's order.
    assert cells != sorted(cells, key=int)
    said = [f"{cell},{'Mitosis' if n % 2 else 'hard negative'}" for n, cell in enumerate(cells)]
    (folder / "one.csv").write_text("\n".join(["cell,label", *said]), encoding="utf-8")
    (folder / "two.csv").write_text("\n".join(["cell,label", *said[:-1], f"{cells[-1]},"]), encoding="utf-8")
    assert (
        run_json("answers", study, "odael", "--labels", folder / "one.csv", "--rater", "expert 1")["new"] == 6
    )
    assert (
        run_json("answers", study, "odael", "--labels", folder / "one.csv", "--rater", "expert 1")["new"] == 0
    )
    assert (
        run_json("answers", study, "odael", "--labels", folder / "two.csv", "--rater", "expert 2")["new"] == 5
    )
    state = run_json("review", study, "odael")
    assert (state["waiting"], state["outcome"]) == (1, {"look-alike": 3, "mitotic figure": 2})
    (folder / "odd.csv").write_text("cell,label\n1,Mitosis\n", encoding="utf-8")
    for arguments, match in (
        (("--labels", folder / "odd.csv"), "cell 1: not in the review"),
        (("--labels", folder / "one.csv", "--third-expert"), "no third expert was asked"),
    ):
        assert match in run("answers", study, "odael", "--rater", "x", *arguments, status=2)


def test_hard_examples_go_back_to_the_experts(folder: Path, study: Path) -> None:
    with Store.open(study, write=False) as store:
        cells = store.overview().cells
    rows = "\n".join(f"{cell},{0.99 if cell % 2 else 0.3}" for cell in range(1, cells + 1))
    (folder / "scores.csv").write_text(f"cell,score\n{rows}\n", encoding="utf-8")
    done = run_json("hard-examples", study, "heael", "--scores", folder / "scores.csv")
    assert 0 < done["asked"] == done["new"] < cells
    assert "no review opened" in run(
        "hard-examples", study, "none", "--scores", folder / "scores.csv", "--threshold", 0.999
    )
    assert run_json("review", study, "heael")["cells"] == done["asked"]
    split = run_json("split-ambiguous", study, "--scores", folder / "scores.csv")
    assert split["look_alikes"] + split["others"] > 0 == split["without_score"]


def test_select_writes_all_tiles_with_their_probabilities(folder: Path, study: Path) -> None:
    found, out = detections(folder), folder / "choice.csv"
    done = run_json("select", study, "--pred", found, "--out", out, "--above", 0.2, "--share-below", 0.5)
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()[1:]))
    assert (done["tiles"], done["chosen"]) == (len(rows), sum(int(row["chosen"]) for row in rows))
    assert all(0 < float(row["probability"]) <= 1 for row in rows)
    assert run_json("select", study, "--pred", found, "--out", out, "--top", 2)["chosen"] == 6
    assert "all" in run("select", study, "--pred", found, "--out", out, "--whole-slides", 1)
    assert "one way to choose" in run("select", study, "--pred", found, "--out", out, status=2)


def test_select_drops_glass_before_it_chooses(folder: Path, study: Path) -> None:
    for number, share in enumerate((0.5, 0.5, 0.5)):
        config = SyntheticSlideConfig.of(width=1024, height=1024, seed=number, tissue_fraction=share)
        write_slide(folder / f"slide {number}.tiff", config)
    found, out = detections(folder), folder / "choice.csv"
    every = run_json("select", study, "--pred", found, "--out", out, "--whole-slides", 3, "--tile", 128)
    some = run_json(
        "select", study, "--pred", found, "--out", out, "--whole-slides", 3, "--tile", 128, "--slides", folder
    )
    assert 0 < some["tiles"] < every["tiles"]
    assert some["chosen"] == some["tiles"]


@pytest.fixture
def embeddings(folder: Path, study: Path) -> Path:
    """Write embeddings that know the classes, save of one cell."""
    with Store.open(study, write=False) as store:
        ids = store.overview().cells
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (ids, 2)) + np.where(np.arange(ids) % 2, 9, 0)[:, None]
    path = folder / "embeddings.npz"
    write_points(path, CellPoints(np.arange(1, ids + 1), points))
    return path


def test_a_board_says_what_to_install_before_it_learns(
    study: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in the base install, where neither the extra ``train`` nor ``embed`` is there."""
    monkeypatch.setattr("mitoscope.cli.curate_board.find_spec", lambda name: None)
    (said,) = run("board", study, "--out", tmp_path / "board", status=2).splitlines()
    assert said.startswith("error: a board needs lightning_fabric and umap")
    assert "make setup EXTRAS='train embed'" in said


def test_a_board_with_its_picture_and_its_review(folder: Path, study: Path, embeddings: Path) -> None:
    for number in range(3):
        write_slide(
            folder / f"slide {number}.tiff", SyntheticSlideConfig.of(width=256, height=256, seed=number)
        )
    out = folder / "board"
    arguments = ("board", study, "--embeddings", embeddings, "--coordinates", embeddings, "--out", out)
    shown = run(*arguments, "--slides", folder, "--review", "codael", "--suspicious", 5)
    assert "Most suspicious" in shown
    assert "5 cells new in the review 'codael'" in shown
    assert {one.name for one in out.iterdir()} >= {"board.csv", "board.json", "board.tiff", "crops.npy"}
    again = run_json(*arguments, "--size", "4096x4096", "--method", "greedy")
    assert (again["columns"], again["method"], again["picture"]) == (32, "greedy", None)
    assert again["quality"]["trustworthiness"] > 0.8
    assert "no cell was relabelled" in run("review", study, "codael", "--second-read", status=1)
    with Store.open(study) as store:
        (round_id,) = [id_ for id_, one in store.rounds().items() if one.name == "codael"]
        session = Session(store, store.add_rater(Rater("expert 1")), round_id)
        before = labels_before(store, "codael")
        assert len(before) > 20
        session.label(min(before), 3 - before[min(before)])
    assert run_json("review", study, "codael", "--second-read")["second_read"] == 1


def test_bad_input_is_one_line(folder: Path, study: Path, embeddings: Path) -> None:
    (folder / "odd.csv").write_text("image,x,y,score\nother.svs,1,1,0.5\n", encoding="utf-8")
    (folder / "twice.csv").write_text("cell,score\n1,0.5\n1,0.6\n", encoding="utf-8")
    (folder / "split.csv").write_text("slide,split\nslide 0.svs,left\n", encoding="utf-8")
    (folder / "not.npz").write_bytes(b"no")
    write_points(folder / "gone.npz", CellPoints(np.arange(500, 510), np.zeros((10, 2))))
    board = ("board", study, "--out", folder / "board", "--embeddings")
    for arguments, match in (
        (("candidates", study, "a", "--pred", folder / "odd.csv"), "the study has no slide 'other'"),
        (
            ("hard-examples", study, "a", "--scores", folder / "twice.csv"),
            "line 3: cell 1 appears twice",
        ),
        (("freeze", study, "MEL", "--split", folder / "split.csv"), "line 2: no side 'left'"),
        (("freeze", study, "MEL", "--policy", "mine"), "--policy: choose settled, "),
        (("diff", study, "MEL", "ODAEL"), "no version 'MEL'"),
        (("review", study, "none"), "no review of the name 'none'"),
        ((*board, folder / "not.npz"), "cannot be read"),
        ((*board, folder / "gone.npz"), "10 cells are not in the store"),
        ((*board, embeddings, "--slides", folder / "none"), "no such folder"),
        ((*board, embeddings, "--slides", folder), "no file of the slide"),
        ((*board, embeddings, "--method", "best"), "--method: choose exact or greedy, not 'best'"),
    ):
        assert match in run(*arguments, status=2)
