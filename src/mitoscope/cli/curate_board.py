"""``mitoscope curate board``: alike cells side by side, and those that stand among others."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.curate_loops import as_seen, open_workers
from mitoscope.cli.options import (
    SEED_MAX,
    ClusterOption,
    CropMppOption,
    CropOption,
    DeviceOption,
    JsonOption,
    PolicyOption,
    StudyArgument,
    parse_choice,
    parse_policy,
    parse_size,
)
from mitoscope.cli.terminal import print_json, print_table
from mitoscope.extras import how_to_install
from mitoscope.progress import progress
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.cluster import Executor
    from mitoscope.curation.board.coordinates import CellPoints
    from mitoscope.loops.board import BoardCells, BoardResult

SHOWN = 10
"""Suspicious cells that are printed; the table holds all."""


def board(
    study: StudyArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="board.csv, board.json, board.tiff.")],
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings", metavar="NPZ", help="Arrays 'cell' (n) and 'points' (n, d); default: trained."
        ),
    ] = None,
    slides: Annotated[
        list[Path] | None,
        typer.Option(
            "--slides", metavar="DIR", help="Folder of the slides, may be repeated; else no picture."
        ),
    ] = None,
    coordinates: Annotated[
        Path | None,
        typer.Option("--coordinates", metavar="NPZ", help="'points' (n, 2) to use in place of UMAP."),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Size of the board in px, e.g. 80000x60000.")
    ] = None,
    crop: CropOption = 128,
    mpp: CropMppOption = 0.25,
    method: Annotated[
        str | None, typer.Option("--method", help="exact or greedy; by default exact where it fits.")
    ] = None,
    policy: PolicyOption = None,
    epochs: Annotated[
        str, typer.Option("--epochs", metavar="N,N", help="Epochs of the embedding: classes, contrast.")
    ] = "10,10",
    review: Annotated[
        str | None, typer.Option("--review", metavar="NAME", help="Open this review on the board's cells.")
    ] = None,
    suspicious: Annotated[
        int | None,
        typer.Option("--suspicious", metavar="N", min=1, help="Review only the N most suspicious cells."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=SEED_MAX, help="Seed of UMAP.")] = 0,
    device: DeviceOption = None,
    cluster: ClusterOption = None,
    as_json: JsonOption = False,
) -> None:
    """Arrange crops by similarity and rank likely label errors (CODAEL)."""
    from mitoscope.curation.board import Grid
    from mitoscope.curation.board.coordinates import read_points
    from mitoscope.errors import ConfigError
    from mitoscope.geometry import SizePx
    from mitoscope.loops.board import board_cells, keep_board, make_board
    from mitoscope.loops.crops import find_slides
    from mitoscope.store import Store

    given = None if embeddings is None else read_points(embeddings)
    own = None if coordinates is None else read_points(coordinates)
    chosen: Any = parse_choice("--method", method, ("exact", "greedy"))
    _need_extras(learns=given is None, lays_out=own is None)
    if given is None and not slides:
        what = "no embeddings, and no slides to train them on"
        raise ConfigError(what, mend="give --embeddings or --slides")
    with Store.open(study, write=review is not None) as store:
        ids = store.live_cells() if given is None else given.cell_id.tolist()
        cells = board_cells(store, ids, parse_policy(policy or "settled"))
        folder, names = as_seen(out, cluster), {place.slide for place in cells.place}
        files = find_slides([as_seen(one, cluster) for one in slides], names) if slides else None
        if size is None:
            grid = Grid.for_crops(len(ids), cell_px=crop)
        else:
            grid = Grid.of_size(SizePx(*parse_size(size)), cell_px=crop)
        with (
            open_workers(cluster, out, device) as executor,
            progress("Board", unit="steps") as report,
        ):
            steps = report, executor
            points = given or _learn(cells, files or {}, folder, (epochs, device), crop, mpp, steps)
            result = make_board(
                cells,
                points,
                folder,
                grid=grid,
                coordinates=own,
                slides=files,
                method=chosen,
                mpp=mpp,
                seed=seed,
                progress=report,
                executor=executor,
            )
        new = 0 if review is None else keep_board(store, review, result, suspicious=suspicious)
    _show(result, review, new, as_json)


def _need_extras(*, learns: bool, lays_out: bool) -> None:
    """Say what to install, and all of it, before anything is learnt.

    Raises
    ------
    ConfigError
        If a library is missing.
    """
    from mitoscope.errors import ConfigError

    wanted = [("train", "torch", learns), ("train", "lightning_fabric", learns), ("embed", "umap", lays_out)]
    missing = {extra: module for extra, module, needs in wanted if needs and find_spec(module) is None}
    if missing:
        what = f"a board needs {' and '.join(missing.values())}, not installed"
        own = "" if "embed" not in missing else ", or give --coordinates"
        raise ConfigError(what, mend=how_to_install(*missing) + own)


def _learn(
    cells: BoardCells,
    files: dict[str, Path],
    out: Path,
    learning: tuple[str, str | None],
    crop: int,
    mpp: float,
    steps: tuple[Any, Executor],
) -> CellPoints:
    from mitoscope.loops.embedding import EmbeddingConfig, learn_embeddings

    epochs, device = learning
    first, _, second = epochs.partition(",")
    values = {"class_epochs": first.strip(), "contrastive_epochs": second.strip()}
    values["device"] = parse_choice("--device", device, ("cpu", "cuda")) or "cpu"
    config = EmbeddingConfig.parse(values, where="--epochs")
    report, executor = steps
    return learn_embeddings(
        cells, files, out, config=config, crop_px=crop, mpp=mpp, progress=report, executor=executor
    )


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
        typer.echo(f"{say_number(new, 'cell')} new in the review {review!r}")
