"""Embeddings of cells for the board (CODAEL): a classifier first, then alike cells drawn together.

CMC: a ResNet-18 is trained to tell the classes apart for 10 epochs; then its last layer is taken off and what
remains is trained for 10 more with a contrastive loss over pairs within and between classes (Hadsell et al.
2006): the distance of two crops of one class shrinks, that of two classes grows up to a margin.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from mitoscope.cluster import Executor, Here
from mitoscope.config import Config
from mitoscope.curation.board.coordinates import CellPoints, made_from, read_points, write_points
from mitoscope.errors import NonFiniteError, TrainingDataError
from mitoscope.fsio import make_directory
from mitoscope.loops.board import NO_CLASS, BoardCells
from mitoscope.loops.crops import CROP_PX, MPP, Progress, gather_crops, open_crops
from mitoscope.loops.mining import WAYS, turned
from mitoscope.models.build import build
from mitoscope.models.cells import Classifier
from mitoscope.models.config import ClassifierConfig
from mitoscope.train.checkpoint import CHECKPOINT_NAME, load, save
from mitoscope.train.device import check_devices
from mitoscope.train.recipe import RunRecipe
from mitoscope.train.state import State

Epochs = Annotated[int, Field(ge=0)]
EMBEDDINGS, NETWORK = "embeddings.npz", "network"


class EmbeddingConfig(Config):
    """How embeddings are learnt.

    Parameters
    ----------
    backbone : str
        Name in timm (CMC: ResNet-18).
    weights : {"random", "imagenet"}
        To begin with.
    class_epochs, contrastive_epochs : int
        Of both parts (CMC: 10 and 10).
    batch : int
        Crops a step, from each class as many.
    learning_rate : float
        Of Adam; falls by a cosine in each part.
    margin : float
        Distance beyond which two classes are far enough apart; embeddings have length 1, so at most 2.
    seed, threads : int
    device : {"cpu", "cuda"}
        Where it learns; a folder is gone on with on either.
    """

    backbone: str = "resnet18"
    weights: str = "random"
    class_epochs: Epochs = 10
    contrastive_epochs: Epochs = 10
    batch: Annotated[int, Field(ge=2)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    margin: Annotated[float, Field(gt=0, le=2)] = 1.0
    seed: int = 0
    threads: Annotated[int, Field(ge=1)] = 1
    device: Literal["cpu", "cuda"] = "cpu"


def contrastive_loss(embedding: Tensor, label: Tensor, *, margin: float) -> Tensor:
    """Return the mean loss over all pairs of a batch, pairs within and between classes weighing the same.

    Parameters
    ----------
    embedding : Tensor of float32, shape (n, d)
        Of length 1.
    label : Tensor of int64, shape (n,)
    margin : float

    Returns
    -------
    Tensor
        d² of two crops of one class, max(0, margin − d)² of two classes.
    """
    square = (2 - 2 * embedding @ embedding.T).clamp(min=0)
    same = label[:, None] == label[None, :]
    # The slope of a root at 0 is infinite: kept away from it, where two crops fall together.
    apart = (margin - (square + 1e-8).sqrt()).clamp(min=0).square()
    pair = torch.ones_like(same).triu(diagonal=1)
    parts = [part[chosen] for part, chosen in ((square, pair & same), (apart, pair & ~same))]
    return torch.stack([part.mean() for part in parts if len(part)]).mean()


class Embedder:
    """A network that learns from crops, resumed where it stopped.

    Parameters
    ----------
    crops : ndarray of uint8, shape (n, side, side, 3)
        A mapped file where they are many.
    label : sequence of str, shape (n,)
    config : EmbeddingConfig

    Raises
    ------
    TrainingDataError
        If there are fewer than two classes or crops are missing.
    """

    def __init__(self, crops: NDArray[np.uint8], label: Sequence[str], config: EmbeddingConfig) -> None:
        self.names = tuple(sorted(set(label)))
        if len(self.names) < 2 or len(label) != len(crops):
            what = f"{len(crops)} crops of {len(self.names)} classes"
            raise TrainingDataError(what, where="embeddings", mend="crops of two classes at least are wanted")
        torch.set_num_threads(config.threads)
        self._crops, self._config = crops, config
        self._label = np.array([self.names.index(name) for name in label], dtype=np.int64)
        table = {"architecture": "classifier", "labels": self.names, "patch_px": crops.shape[1]}
        values = table | {"backbone": config.backbone, "weights": config.weights}
        network = build(ClassifierConfig.parse(values, where="embedding"), seed=config.seed)
        assert isinstance(network, Classifier)
        check_devices(RunRecipe(device=config.device))
        self._network = network.to(config.device)
        optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
        self._state = State(network, None, optimiser)

    @property
    def steps_per_epoch(self) -> int:
        """As many crops as there are, whatever their classes."""
        return max(1, len(self._label) // self._config.batch)

    def fit(self, folder: Path, *, progress: Progress | None = None) -> None:
        """Learn; a checkpoint is written after each epoch, and a repeated call goes on after the last one.

        Raises
        ------
        NonFiniteError
            If the loss is NaN or infinite, naming the step.
        LedgerMismatchError
            If the folder's checkpoint is of other crops or settings.
        """
        make_directory(folder)
        path, run = folder / CHECKPOINT_NAME, self.fingerprint
        if path.exists():
            load(self._state, path, run=run, architecture="embedder")
        epochs = self._config.class_epochs + self._config.contrastive_epochs
        while self._state.step < epochs * self.steps_per_epoch:
            self._step()
            if self._state.step % self.steps_per_epoch == 0:
                save(self._state, path, run=run, architecture="embedder")
            if progress is not None:
                progress(self._state.step, epochs * self.steps_per_epoch)

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the embeddings of crops, of length 1, shape (n, d)."""
        self._network.eval()
        parts = []
        with torch.inference_mode():
            for start in range(0, len(crops), 64):
                windows = torch.from_numpy(np.array(crops[start : start + 64]))
                parts.append(self._embedding(windows.to(self._config.device)).cpu().numpy())
        return np.concatenate(parts)

    def _embedding(self, windows: Tensor) -> Tensor:
        backbone: nn.Module = self._network.network
        features = backbone.forward_features(self._network.normalise(windows))  # type: ignore[operator]
        flat: Tensor = backbone.forward_head(features, pre_logits=True)  # type: ignore[operator]
        return F.normalize(flat.float(), dim=1)

    def _step(self) -> None:
        step, config = self._state.step, self._config
        windows, label = (part.to(config.device) for part in self._draw(step))
        in_classes = step < config.class_epochs * self.steps_per_epoch
        self._network.train()
        for group in self._state.optimiser.param_groups:
            group["lr"] = config.learning_rate * self._share(step)
        if in_classes:
            loss = F.cross_entropy(self._network.log_odds(windows), label)
        else:
            loss = contrastive_loss(self._embedding(windows), label, margin=config.margin)
        if not math.isfinite(float(loss.detach())):
            raise NonFiniteError(f"the loss is {float(loss.detach())}", where=f"step {step}")
        self._state.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._state.optimiser.step()
        self._state.step += 1

    def _draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of a step: from each class as many, each turned one of eight ways."""
        rng = np.random.default_rng((self._config.seed, step))
        each = -(-self._config.batch // len(self.names))
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(self._label == class_), each) for class_ in range(len(self.names))]
        )
        ways = rng.integers(0, WAYS, len(rows))
        windows = [
            turned(self._crops[row], way) for row, way in zip(rows.tolist(), ways.tolist(), strict=True)
        ]
        return torch.from_numpy(np.stack(windows)), torch.from_numpy(self._label[rows])

    def _share(self, step: int) -> float:
        first = self._config.class_epochs * self.steps_per_epoch
        length = self._config.contrastive_epochs * self.steps_per_epoch
        done = step / first if step < first else (step - first) / length
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))

    @cached_property
    def fingerprint(self) -> str:
        """What the outcome depends on: crops, classes, settings."""
        own = self._config.model_copy(update={"device": "cpu"})
        digest = hashlib.sha256(own.fingerprint().encode())
        digest.update(repr((self.names, self._crops.shape)).encode())
        digest.update(self._label.tobytes())
        for start in range(0, len(self._crops), 1024):
            digest.update(np.ascontiguousarray(self._crops[start : start + 1024]).tobytes())
        return digest.hexdigest()


def learn_embeddings(
    cells: BoardCells,
    slides: Mapping[str, Path],
    folder: Path,
    *,
    config: EmbeddingConfig,
    crop_px: int = CROP_PX,
    mpp: float = MPP,
    progress: Progress | None = None,
    executor: Executor | None = None,
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
        Called with crops done, then steps done, and their number; of steps that are done elsewhere nobody
        tells.
    executor : Executor, optional
        What cuts crops and learns; by default this process.

    Raises
    ------
    TrainingDataError
        If the cells are of fewer than two classes.
    FormatError, SlideError, NonFiniteError
        As the steps.
    """
    gather_crops(cells.place, slides, folder, side_px=crop_px, mpp=mpp, progress=progress, executor=executor)
    here = executor is None or isinstance(executor, Here)
    learn = _Learn(cells, config, progress if here else None)
    with closing((executor or Here()).run(learn, [folder])) as learnt:
        ((_, points),) = learnt
    return points


@dataclass(frozen=True, slots=True)
class _Learn:
    """Learns from the crops of a folder, in any process."""

    cells: BoardCells
    config: EmbeddingConfig
    progress: Progress | None

    def __call__(self, folder: Path) -> CellPoints:
        """Return the embeddings of all cells, which stay in the folder."""
        crops, labels = open_crops(folder), self.cells.label
        known = np.array([label != NO_CLASS for label in labels])
        classes = [label for label in labels if label != NO_CLASS]
        learnt = Embedder(crops if known.all() else crops[known], classes, self.config)
        origin = f"crops and settings {learnt.fingerprint}, {len(labels)} cells"
        if made_from(folder / EMBEDDINGS) == origin:
            return read_points(folder / EMBEDDINGS)
        learnt.fit(folder / NETWORK, progress=self.progress)
        points = CellPoints(np.array(self.cells.cell_id), learnt.embed(crops).astype(np.float64))
        write_points(folder / EMBEDDINGS, points, made_from=origin)
        return points
