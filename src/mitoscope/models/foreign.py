"""Weights of known networks of other libraries, by the name of the network: loaded as numbers, never run.

A state dict is read by torch with ``weights_only=True``, or by safetensors: no code that a file holds is
executed. The network comes from torchvision or timm by its name, and is written as ONNX.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import safetensors
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import detection, get_model_builder, list_models

from mitoscope.errors import BundleError, ConfigError

_OPSET: Final = 18
_WRAPPERS: Final = ("state_dict", "model_state_dict", "model", "ema", "net", "weights")
_PREFIXES: Final = ("module.", "_orig_mod.", "model.")
_KEYS_SHOWN: Final = 4
_UNREADABLE: Final = (
    OSError, UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, LookupError, AttributeError,
)  # fmt: skip
"""What torch raises on a file that is damaged or holds more than numbers."""


def known_networks(layout: str) -> tuple[str, ...]:
    """Return the names of the networks that can be built for a layout."""
    if layout == "torchvision":
        return tuple(list_models(module=detection))
    return tuple(timm.list_models()) if layout == "classifier" else ()


def export_weights(
    path: Path,
    *,
    layout: str,
    network: str,
    classes: int,
    window_px: int,
    options: Mapping[str, float] | None = None,
) -> bytes:
    """Return the ONNX graph of a known network with the weights of a file.

    Parameters
    ----------
    path : Path
        A state dict (``.pt``, ``.pth``) or ``.safetensors``.
    layout : {"torchvision", "classifier"}
        A detector of torchvision, or a classifier of timm.
    network : str
        Its name there: ``retinanet_resnet50_fpn``, ``resnet18``.
    classes : int
        How many there are, of a detector without the background.
    window_px : int
        Side of its pictures.
    options : mapping of str to float, optional
        Numbers that the network was built with, for example ``min_size`` of a detector.

    Raises
    ------
    BundleError
        If the file is no state dict, or one of another network.
    ConfigError
        If there is no such network, or it has no such option.
    """
    built = _built(layout, network, classes, options or {})
    _load(built, _state_dict(path), path, network)
    built.eval()
    example = torch.zeros(1, 3, window_px, window_px)
    names = ["boxes", "scores", "labels"] if layout == "torchvision" else ["output"]
    axes = None if layout == "torchvision" else {"images": {0: "N"}, "output": {0: "N"}}
    whole = _Lists(built) if layout == "torchvision" else built
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        target = Path(folder) / "network.onnx"
        warnings.simplefilter("ignore")  # The exporter warns about its own internals.
        torch.onnx.export(
            whole,
            (example,),
            target,
            input_names=["images"],
            output_names=names,
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
        return target.read_bytes()


class _Lists(nn.Module):
    """A detector that is given one picture as a batch, and gives its answers in a fixed order."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        answer = self.detector([images[0]])[0]
        return answer["boxes"], answer["scores"], answer["labels"]


def _built(layout: str, network: str, classes: int, options: Mapping[str, float]) -> nn.Module:
    names = known_networks(layout)
    if not names:
        raise ConfigError(
            f"weights alone cannot become a network of the layout {layout}",
            where="--layout",
            mend="export the network to ONNX with its own program",
        )
    if network not in names:
        near = ", ".join(name for name in names if name.startswith(network[:6])) or ", ".join(names[:12])
        library = "torchvision's detectors" if layout == "torchvision" else "timm"
        raise ConfigError(
            f"no network {network!r} in {library}", where="--architecture", mend=f"there are: {near}"
        )
    numbers: dict[str, Any] = {
        key: int(value) if float(value).is_integer() else value for key, value in options.items()
    }
    try:
        if layout == "torchvision":
            build = get_model_builder(network)
            made: nn.Module = build(weights=None, weights_backbone=None, num_classes=classes + 1, **numbers)
        else:
            made = timm.create_model(network, pretrained=False, num_classes=classes, **numbers)
    except TypeError as error:
        raise ConfigError(f"{network}: {error}", where="--network-option") from None
    return made


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        # Numbers and their names alone: any other object in the file is refused, not built.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old ways to write such files
            loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (*_UNREADABLE, safetensors.SafetensorError) as error:
        what = " ".join(str(error).split())[:160]
        raise BundleError(
            f"no state dict that can be read without running code from it ({what})",
            where=path,
            mend="save the weights alone: torch.save(network.state_dict(), FILE), or export to ONNX",
        ) from None
    for key in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded:
        raise BundleError("no state dict", where=path, mend="save the weights alone: network.state_dict()")
    return {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}


def _load(network: nn.Module, weights: dict[str, Tensor], path: Path, name: str) -> None:
    wanted = network.state_dict()
    for prefix in _PREFIXES:
        if weights and all(key.startswith(prefix) for key in weights) and not wanted.keys() & weights.keys():
            weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    missing, surplus = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    other = [key for key in wanted.keys() & weights.keys() if wanted[key].shape != weights[key].shape]
    for what, keys in (("lacks", missing), ("has besides", surplus)):
        if keys:
            shown = ", ".join(keys[:_KEYS_SHOWN]) + (", ..." if len(keys) > _KEYS_SHOWN else "")
            raise BundleError(f"not the weights of {name}: {what} {shown}", where=path)
    if other:
        key = sorted(other)[0]
        raise BundleError(
            f"not the weights of {name} with these classes: {key} is {tuple(weights[key].shape)}, "
            f"{tuple(wanted[key].shape)} expected",
            where=path,
            mend="name all classes: --classes A,B,...",
        )
    network.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    )
