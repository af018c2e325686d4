"""From windows to one batch: cut, transplant, normalise, place, colour, texture, targets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mitoscope.bundle import Border
from mitoscope.data.augment import AugmentConfig, Placement
from mitoscope.data.colour import compress, distort, focus, jitter, noise, normalise, relight, whiten_edge
from mitoscope.data.contrast_transfer import build_bank, field_statistics, match, transfer, transfer_whole
from mitoscope.data.field import Field
from mitoscope.data.sampling import (
    CandidatesConfig,
    CropsConfig,
    HardPool,
    SamplingConfig,
    Scheme,
    SemiConfig,
    plan,
)
from mitoscope.data.target import Batch, Boxes, boxes_of, dense_targets
from mitoscope.data.window import Patch, Window, cut_patch
from mitoscope.errors import TrainingDataError

_FEATHER_PX = 14.0
_EDGE_CELL_PX = 8


@dataclass(frozen=True, slots=True)
class Target:
    """What a model learns from.

    Parameters
    ----------
    labels : tuple of str
        Its classes, the mitotic figure first.
    mpp : float
        Resolution of training, µm/px.
    stride_px : int
        Side of a cell of a dense target.
    figure_radius_px, ignore_radius_px : float
        See `dense_targets`; 0 where there is no dense target.
    border : {"mirror", "white"}
        What lies beyond a field, see `cut_patch`.
    """

    labels: tuple[str, ...]
    mpp: float
    stride_px: int
    figure_radius_px: float = 0.0
    ignore_radius_px: float = 0.0
    border: Border = "mirror"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Everything that chance decided for one batch; with it the batch can be made again.

    Parameters
    ----------
    windows : tuple of Window
    matrix : tuple
        Of the placement, by window.
    seed : int
        Of the changes of colour and texture.
    """

    windows: tuple[Window, ...]
    matrix: tuple[tuple[tuple[float, float], tuple[float, float]], ...]
    seed: int

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        windows = tuple(Window(**_tuples(window)) for window in values["windows"])
        return cls(windows, _rows(torch.tensor(values["matrix"])), values["seed"])


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """The batches of a training run, each a function of the seed, the step and the pool of hard negatives.

    Nothing is drawn from a state that moves on, so a resumed run needs only the step (promise 19), and any
    batch can be drawn again to look at it.

    Parameters
    ----------
    fields : tuple of Field
    scheme : Scheme
    augment : AugmentConfig
    bank : Tensor
        Colour statistics of all fields, see `build_bank` and `field_statistics`.
    window_px : int
    target : Target
    seed : int
    """

    fields: tuple[Field, ...]
    scheme: Scheme
    augment: AugmentConfig
    bank: Tensor
    window_px: int
    target: Target
    seed: int

    def draw(self, step: int, hard: HardPool) -> Batch:
        """Draw the batch of a step."""
        return self.replay(self.drawn(step, hard))

    def drawn(self, step: int, hard: HardPool) -> Drawn:
        """Draw what chance decides for the batch of a step."""
        windows = self.scheme.windows(step, hard, seed=self.seed)
        random = np.random.default_rng((self.seed, step, 1))
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        placement = Placement.draw(
            len(windows), generator, window_px=self.window_px, freedom=self.augment.freedom
        )
        return Drawn(tuple(windows), _rows(placement.matrix), int(random.integers(2**62)))

    def replay(self, drawn: Drawn) -> Batch:
        """Make the batch that was drawn."""
        random = np.random.default_rng(drawn.seed)
        generator = torch.Generator().manual_seed(drawn.seed)
        placement = Placement(torch.tensor(drawn.matrix), self.window_px)
        patches = [
            cut_patch(window, self.fields, side=placement.patch_px(index), border=self.target.border)
            for index, window in enumerate(drawn.windows)
        ]
        placed = [placement.warp(_transplanted(p), i) for i, p in enumerate(self._normalised(patches))]
        pictures = [window.picture for window in drawn.windows]
        rgb = self._changed(torch.stack(placed), pictures, generator)
        compress(rgb, random, share=self.augment.jpeg)
        cells, hidden = self._cells(patches, placement, rgb, random)
        boxes = boxes_of(patches, placement, labels=self.target.labels, mpp=self.target.mpp)
        boxes = _visible(boxes, hidden, self.window_px)
        score = torch.tensor([patch.score for patch in patches], dtype=torch.float32)
        return Batch(torch.from_numpy(rgb), boxes.boxes, boxes.classes, boxes.weights, score, cells)

    def plain(self, windows: Sequence[Window]) -> NDArray[np.uint8]:
        """Return windows as they are, without any change but stain normalisation, uint8 (n, w, w, 3)."""
        augment = AugmentConfig.nothing(self.augment.normalise)
        upright = ((1.0, 0.0), (0.0, 1.0))
        drawn = Drawn(tuple(windows), (upright,) * len(windows), seed=0)
        return replace(self, augment=augment).replay(drawn).rgb.numpy()

    def _normalised(self, patches: list[Patch]) -> list[Patch]:
        method = self.augment.normalise
        if method == "none":
            return patches
        return [replace(patch, rgb=normalise(patch.rgb, method)) for patch in patches]

    def _cells(
        self, patches: list[Patch], placement: Placement, rgb: NDArray[np.uint8], random: np.random.Generator
    ) -> tuple[Tensor | None, NDArray[np.bool_]]:
        """Make the dense targets where the model has them, and put white edges over windows."""
        side, own = self.window_px, self.target
        if not own.figure_radius_px:
            none = np.zeros((len(patches), side // _EDGE_CELL_PX, side // _EDGE_CELL_PX), dtype=np.int8)
            return None, whiten_edge(rgb, none, random, share=self.augment.slide_edge)
        target = dense_targets(
            patches,
            placement,
            stride_px=own.stride_px,
            figure_radius_px=own.figure_radius_px,
            ignore_radius_px=own.ignore_radius_px,
        )
        hidden = whiten_edge(rgb, target, random, share=self.augment.slide_edge)
        return torch.from_numpy(target), hidden

    def _changed(self, rgb: Tensor, pictures: list[int], generator: torch.Generator) -> NDArray[np.uint8]:
        own = self.augment
        chosen = torch.rand(len(rgb), generator=generator) < own.contrast_transfer
        index = chosen.nonzero()[:, 0]
        if len(index):
            if own.transfer_by == "field":
                stated = self.bank[torch.tensor(pictures)[index]]
                moved = transfer_whole(rgb[index], stated, self.bank, generator)
            else:
                moved = transfer(rgb[index], self.bank, generator)
            rgb = rgb.index_copy(0, index, moved)
        if own.stain_strength:
            rgb = jitter(rgb, generator, strength=own.stain_strength)
        if own.lighting or own.contrast:
            rgb = relight(
                rgb, generator, lighting=own.lighting, contrast=own.contrast, share=own.lighting_share
            )
        if own.photometric:
            rgb = distort(rgb, generator)
        if own.focus:
            rgb = focus(rgb, generator, share=own.focus)
        if own.noise:
            rgb = noise(rgb, generator, share=own.noise)
        pixels = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return np.ascontiguousarray(pixels.numpy())


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _rows(matrix: Tensor) -> tuple[tuple[tuple[float, float], tuple[float, float]], ...]:
    return tuple(((a, b), (c, d)) for (a, b), (c, d) in matrix.tolist())


def _visible(found: Boxes, hidden: NDArray[np.bool_], window_px: int) -> Boxes:
    """Leave out the boxes whose centre lies under a white edge."""
    if not hidden.any():
        return found
    side = window_px / hidden.shape[1]
    kept = []
    for index, boxes in enumerate(found.boxes):
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        place = (centre / side).long().clamp(0, hidden.shape[1] - 1).numpy()
        kept.append(torch.from_numpy(~hidden[index][place[:, 1], place[:, 0]]))
    return Boxes(
        tuple(b[k] for b, k in zip(found.boxes, kept, strict=True)),
        tuple(c[k] for c, k in zip(found.classes, kept, strict=True)),
        tuple(w[k] for w, k in zip(found.weights, kept, strict=True)),
    )


def _transplanted(patch: Patch) -> Tensor:
    """Return a patch, float (3, s, s) in [0, 1]; a figure to be transplanted gets a feathered edge."""
    rgb = _planes(patch.rgb)
    if patch.transplant is None:
        return rgb
    background, x, y, radius = patch.transplant
    ground = _planes(background)
    axis = torch.arange(rgb.shape[-1]) + 0.5
    distance = torch.hypot(axis[None, :] - x, axis[:, None] - y)
    alpha = ((radius - distance) / _FEATHER_PX + 0.5).clamp(0, 1)
    figure, fits = match(rgb[None], ground[None])
    # A place without tissue has no colours to match: there the window stays whole.
    return ground * (1 - alpha) + figure[0] * alpha if bool(fits[0]) else rgb


def _planes(rgb: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1).float() / 255


def make_batches(
    fields: tuple[Field, ...],
    sampling: SamplingConfig,
    augment: AugmentConfig,
    *,
    labels: tuple[str, ...],
    mpp: float,
    stride_px: int,
    seed: int,
    dense: bool = False,
    border: Border = "mirror",
) -> Batches:
    """Set up the scheme over the fields and take their colour statistics.

    Parameters
    ----------
    fields, sampling, augment, labels, mpp, stride_px, seed
        See `Batches` and `Target`.
    dense : bool
        Draw dense targets also where the scheme states no radii for them.
    border : {"mirror", "white"}
        What lies beyond a field, see `cut_patch`.

    Raises
    ------
    TrainingDataError
        If the scheme lacks a class or a kind of place, or a window is larger than every field.
    """
    largest = max((max(field.width, field.height) for field in fields), default=0)
    if sampling.window_px > largest:
        raise TrainingDataError(
            f"windows of {sampling.window_px} px, but the largest field has {largest} px",
            where="data.sampling.window_px",
            mend="take smaller windows",
        )
    stated = sampling if isinstance(sampling, SemiConfig) else SemiConfig(kind="semi")
    dense = dense or stated is sampling
    radii = (stated.figure_radius_px, stated.ignore_radius_px) if dense else (0.0, 0.0)
    if isinstance(sampling, CropsConfig | CandidatesConfig):
        augment = augment.model_copy(update={"slide_edge": 0.0})  # it would hide the cell
    bank = torch.zeros(1, 6)
    if augment.contrast_transfer:
        bank = build_bank(fields) if augment.transfer_by == "window" else field_statistics(fields)
    scheme = plan(fields, sampling, labels=labels, mpp=mpp)
    target = Target(labels, mpp, stride_px, *radii, border)
    return Batches(fields, scheme, augment, bank, sampling.window_px, target, seed)
