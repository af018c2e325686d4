"""``mitoscope curate board``: alike cells side by side, and those that stand among others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import parse_size
from mitoscope.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from mitoscope.cli.progress import ProgressReport
    from mitoscope.curation.board import Grid, Method
    from mitoscope.curation.board.coordinates import CellPoints
    from mitoscope.loops.board import BoardCells, BoardResult
    from mitoscope.loops.embedding import EmbeddingConfig

SHOWN = 10
"""Suspicious cells that are printed; the table holds all."""


def board(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The store: one file a study.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="board.csv, board.json, board.tiff.")],
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings", metavar="NPZ", help="Arrays 'cell' (n) and 'points' (n, d); else learnt."
        ),
    ] = None,
    slides: Annotated[
        Path | None, typer.Option("--slides", metavar="DIR", help="The slides; without them no picture.")
    ] = None,
    coordinates: Annotated[
        Path | None,
        typer.Option("--coordinates", metavar="NPZ", help="'points' (n, 2) to use in place of UMAP."),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Of the board in px, e.g. 80000x60000.")
    ] = None,
    crop: Annotated[int, typer.Option("--crop", metavar="PX", min=16, help="Side of a crop.")] = 128,
    mpp: Annotated[float, typer.Option("--mpp", metavar="F", help="Resolution of the crops, µm/px.")] = 0.25,
    method: Annotated[
        str | None, typer.Option("--method", help="exact or greedy; by default exact where it fits.")
    ] = None,
    policy: Annotated[str, typer.Option("--policy", help="Of the present class.")] = "settled",
    epochs: Annotated[
        str, typer.Option("--epochs", metavar="N,N", help="To learn embeddings: of classes, of contrast.")
    ] = "10,10",
    review: Annotated[
        str | None, typer.Option("--review", metavar="NAME", help="Open this review on the board's cells.")
    ] = None,
    suspicious: Annotated[
        int | None, typer.Option("--suspicious", metavar="N", min=1, help="Of the most suspicious N only.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of UMAP.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Arrange crops by similarity and rank likely label errors (CODAEL)."""
    from mitoscope.cli.options import parse_policy
    from mitoscope.cli.progress import progress
    from mitoscope.curation.board.coordinates import read_points
    from mitoscope.loops.board import board_cells, keep_board, make_board
    from mitoscope.loops.crops import find_slides
    from mitoscope.store import Store

    given = None if embeddings is None else read_points(embeddings)
    own = None if coordinates is None else read_points(coordinates)
    chosen, config = _method(method), None if given is not None else _learning(epochs, slides)
    with Store.open(study, write=review is not None) as store:
        agreed_by = parse_policy(policy)
        ids = store.live_cells() if given is None else given.cell_id.tolist()
        cells = board_cells(store, ids, agreed_by)
        names = {place.slide for place in cells.place}
        files = None if slides is None else find_slides(slides, names)
        with progress("Board", unit="steps") as report:
            points = given or _learn(cells, files, out, config, crop, mpp, report)
            result = make_board(
                cells,
                points,
                out,
                grid=_grid(size, crop, len(cells.cell_id)),
                coordinates=own,
                slides=files,
                method=chosen,
                mpp=mpp,
                seed=seed,
                progress=report,
            )
        new = 0 if review is None else keep_board(store, review, result, suspicious=suspicious)
    _show(result, review, new, as_json)


def _learning(epochs: str, slides: Path | None) -> EmbeddingConfig:
    from mitoscope.cli.train import need_training
    from mitoscope.errors import ConfigError

    need_training()
    if slides is None:
        raise ConfigError(
            "neither embeddings nor slides to learn them from", mend="give --embeddings or --slides"
        )
    from mitoscope.loops.embedding import EmbeddingConfig

    first, _, second = epochs.partition(",")
    values = {"class_epochs": first.strip(), "contrastive_epochs": second.strip()}
    return EmbeddingConfig.parse(values, where="--epochs")


def _learn(
    cells: BoardCells,
    files: dict[str, Path] | None,
    out: Path,
    config: EmbeddingConfig | None,
    crop: int,
    mpp: float,
    report: ProgressReport,
) -> CellPoints:
    from mitoscope.loops.embedding import learn_embeddings

    assert files is not None
    assert config is not None
    return learn_embeddings(cells, files, out, config=config, crop_px=crop, mpp=mpp, progress=report)


def _grid(size: str | None, crop: int, crops: int) -> Grid:
    from mitoscope.curation.board import Grid
    from mitoscope.geometry import SizePx

    if size is None:
        return Grid.for_crops(crops, cell_px=crop)
    return Grid.of_size(SizePx(*parse_size(size)), cell_px=crop)


def _method(text: str | None) -> Method | None:
    from mitoscope.errors import ConfigError

    if text in (None, "exact", "greedy"):
        return text  # type: ignore[return-value]
    raise ConfigError(f"choose exact or greedy, not {text!r}", where="--method")


def _show(result: BoardResult, review: str | None, new: int, as_json: bool) -> None:
    from dataclasses import asdict

    grid, kept, rows = result.layout.grid, result.quality, result.suspicion.order[:SHOWN].tolist()
    doubtful = [
        {
            "cell": result.cells.cell_id[row],
            "slide": result.cells.place[row].slide,
            "label": result.cells.label[row],
            "neighbours_say": result.suspicion.expected[row],
            "disagreement": float(result.suspicion.disagreement[row]),
        }
        for row in rows
    ]
    picture = None if result.picture is None else str(result.picture)
    if as_json:
        board = {"crops": len(result.cells.cell_id), "columns": grid.columns, "rows": grid.rows}
        values = {"method": result.layout.method, "mean_shift_places": float(result.layout.shift.mean())}
        opened = {"review": review, "new_in_review": new}
        print_json(
            {**board, **values, "quality": asdict(kept), "picture": picture, **opened, "suspicious": doubtful}
        )
        return
    columns = ("cell", "slide", "label", "neighbours say", "disagreement")
    print_table("Most suspicious", columns, [list(one.values()) for one in doubtful])
    typer.echo(
        f"{len(result.cells.cell_id)} crops on {grid.columns} × {grid.rows} places ({result.layout.method}); "
        f"trustworthiness {kept.trustworthiness:.3f}, continuity {kept.continuity:.3f}"
    )
    typer.echo(picture or f"{result.folder}: no picture without --slides")
    if review is not None:
        typer.echo(f"{new} cells new in the review {review!r}")
