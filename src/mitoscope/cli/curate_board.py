"""``mitoscope curate board``: alike cells side by side, and those that stand among others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.options import parse_size
from mitoscope.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from mitoscope.curation.board import Grid, Method
    from mitoscope.loops.board import BoardResult
    from mitoscope.store import Store

SHOWN = 10
"""Suspicious cells that are printed; the table holds all."""


def board(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The store: one file a study.")],
    embeddings: Annotated[
        Path, typer.Option("--embeddings", metavar="NPZ", help="Arrays 'cell' (n) and 'points' (n, d).")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="board.csv, board.json, board.tiff.")],
    slides: Annotated[
        Path | None, typer.Option("--slides", metavar="DIR", help="The slides; without them no picture.")
    ] = None,
    coordinates: Annotated[
        Path | None,
        typer.Option("--coordinates", metavar="NPZ", help="'points' (n, 2) of your own in place of UMAP."),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Of the board in px, e.g. 80000x60000.")
    ] = None,
    crop: Annotated[int, typer.Option("--crop", metavar="PX", min=16, help="Side of a crop.")] = 128,
    mpp: Annotated[float, typer.Option("--mpp", metavar="F", help="Resolution of the crops, µm/px.")] = 0.25,
    method: Annotated[
        str | None, typer.Option("--method", help="exact or greedy; by default exact where it fits.")
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="Of the present class.")] = None,
    review: Annotated[
        str | None, typer.Option("--review", metavar="NAME", help="Open this review on the board's cells.")
    ] = None,
    suspicious: Annotated[
        int | None, typer.Option("--suspicious", metavar="N", min=1, help="Of the most suspicious N only.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of UMAP.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Lay all cells out by similarity, rank those among others of another class, draw the board (CODAEL)."""
    from mitoscope.cli.progress import progress
    from mitoscope.curation.board.embedding_file import read_points
    from mitoscope.loops.board import board_cells, make_board
    from mitoscope.loops.slide_files import find_slides
    from mitoscope.store import Store

    points = read_points(embeddings)
    own = None if coordinates is None else read_points(coordinates)
    chosen = _method(method)
    with Store.open(study, write=review is not None) as store:
        cells = board_cells(store, points.cell_id.tolist(), _policy(store, policy))
        names = {place.slide for place in cells.place}
        files = None if slides is None else find_slides(slides, names)
        with progress("Board", unit="crops, then tiles") as report:
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
        new = 0 if review is None else _open(store, review, result, suspicious)
    _show(result, review, new, as_json)


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
    raise ConfigError(f"no method {text!r}", mend="write --method exact or --method greedy")


def _policy(store: Store, text: str | None) -> Any:
    from mitoscope.cli.store_figures import parse_policy
    from mitoscope.store.overview import default_policy

    if text is not None:
        return parse_policy(text)
    with store.reading() as connection:
        return default_policy(connection)


def _open(store: Store, name: str, result: BoardResult, suspicious: int | None) -> int:
    from mitoscope.curation.board import open_board

    cells = result.cells.cell_id if suspicious is None else result.most_suspicious(suspicious)
    return open_board(store, name, cells)


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
