"""The embeddings of a board's cells, learnt from their own crops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mitoscope.curation.board.embedding_file import CellPoints, made_from, read_points, write_points
from mitoscope.loops.board import NO_CLASS, BoardCells
from mitoscope.loops.crops import CROP_PX, MPP, Progress, gather_crops
from mitoscope.loops.embedding import Embedder, EmbeddingConfig

EMBEDDINGS, NETWORK = "embeddings.npz", "network"


def learn_embeddings(
    cells: BoardCells,
    slides: Mapping[str, Path],
    folder: Path,
    *,
    config: EmbeddingConfig,
    crop_px: int = CROP_PX,
    mpp: float = MPP,
    progress: Progress | None = None,
) -> CellPoints:
    """Return the embedding of each cell of a board; cells without a class are embedded, not learnt from.

    Crops, checkpoint and embeddings stay in the folder: a repeated call goes on, or returns what is there.

    Parameters
    ----------
    cells : BoardCells
    slides : mapping of str to Path
        Slide name → file.
    folder : Path
        The board's.
    config : EmbeddingConfig
    crop_px, mpp : int, float
        Side and resolution of the crops.
    progress : callable, optional
        Called with crops done, then steps done, and their number.

    Raises
    ------
    TrainingDataError
        If the cells are of fewer than two classes.
    FormatError, SlideError, NonFiniteError
        As the steps.
    """
    crops = gather_crops(cells.place, slides, folder, side_px=crop_px, mpp=mpp, progress=progress)
    known = np.array([label != NO_CLASS for label in cells.label])
    labels = [label for label in cells.label if label != NO_CLASS]
    learnt = Embedder(crops if known.all() else crops[known], labels, config)
    origin = f"crops and settings {learnt.fingerprint}, {len(cells.cell_id)} cells"
    if made_from(folder / EMBEDDINGS) == origin:
        return read_points(folder / EMBEDDINGS)
    learnt.fit(folder / NETWORK, progress=progress)
    points = CellPoints(np.array(cells.cell_id), learnt.embed(crops).astype(np.float64))
    write_points(folder / EMBEDDINGS, points, made_from=origin)
    return points
