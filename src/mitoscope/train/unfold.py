"""Weights to train on out of a graph that holds them folded: the residual network that is shipped.

Its norms were folded into the convolutions. Any norm put back in their place leaves what the network says
as it is; those put back here have the mean and deviation that its self-test tile has there, so that it also
behaves in training as one that was trained.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image
from torch import nn

from mitoscope.bundle import Bundle
from mitoscope.models.build import build
from mitoscope.models.config import FcnConfig
from mitoscope.train.state import Arrays, weights_of

ARCHITECTURE: Final = "fcn-resnet12"
_CLASSIFIER: Final = "network.classifier"


def unfolded(bundle: Bundle) -> Arrays | None:
    """Return the weights of a bundle by name; None where its graph is of another network.

    Parameters
    ----------
    bundle : Bundle
    """
    if bundle.manifest.architecture != ARCHITECTURE:
        return None
    graph = onnx.load_model_from_string(bundle.onnx).graph
    held = {one.name: np.array(numpy_helper.to_array(one)) for one in graph.initializer}
    folded = {name.rpartition(".")[0] for name in held if name.startswith("network.")}
    widths = _widths(held)
    if widths is None:
        return None
    network = build(FcnConfig(architecture=ARCHITECTURE, widths=widths), seed=0).eval()
    modules = dict(network.named_modules())
    norms: dict[str, nn.BatchNorm2d] = {}
    with torch.no_grad():
        for name in sorted(folded):
            convolution, norm = _places(name, modules)
            if convolution is None or f"{name}.bias" not in held:
                return None
            convolution.weight.copy_(torch.from_numpy(held[f"{name}.weight"]))
            bias = torch.from_numpy(held[f"{name}.bias"])
            if norm is None:
                assert convolution.bias is not None
                convolution.bias.copy_(bias)
                continue
            norms[name] = norm
            norm.weight.fill_(1)
            norm.bias.copy_(bias)
            norm.running_mean.zero_()  # type: ignore[union-attr]
            norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
        if len(norms) != sum(isinstance(one, nn.BatchNorm2d) for one in modules.values()):
            return None
        _measure(network.exportable().eval(), list(norms.values()), _tile(bundle))
    return weights_of(network)


def _widths(held: dict[str, NDArray[Any]]) -> tuple[int, int, int] | None:
    shapes = [held.get(f"network.{name}.weight") for name in ("stem", "body.0.first", "body.2.first")]
    if any(shape is None for shape in shapes):
        return None
    stem, second, third = (int(shape.shape[0]) for shape in shapes if shape is not None)
    return stem, second, third


def _places(name: str, modules: dict[str, nn.Module]) -> tuple[nn.Conv2d | None, nn.BatchNorm2d | None]:
    """Return the convolution of a name in the graph, and the norm that was folded into it."""
    if name.endswith(".shortcut"):
        found, norm = modules.get(f"{name}.0"), modules.get(f"{name}.1")
    else:
        found, norm = modules.get(name), modules.get(f"{name}_norm")
    convolution = found if isinstance(found, nn.Conv2d) else None
    return convolution, norm if isinstance(norm, nn.BatchNorm2d) and name != _CLASSIFIER else None


def _tile(bundle: Bundle) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(bundle.read(bundle.manifest.self_test.image))) as image:
        return np.asarray(image.convert("RGB"))


def _measure(network: nn.Module, norms: list[nn.BatchNorm2d], rgb: NDArray[np.uint8]) -> None:
    """Give norms the statistics of a tile, and the scale and shift that undo them."""
    seen: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def note(norm: nn.Module, given: tuple[torch.Tensor, ...], _: object) -> None:
        seen[id(norm)] = given[0].mean((0, 2, 3)), given[0].var((0, 2, 3), unbiased=False)

    hooks = [norm.register_forward_hook(note) for norm in norms]
    network(torch.from_numpy(np.array(rgb))[None])
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, variance = seen[id(norm)]
        norm.bias.add_(mean)
        norm.weight.copy_(torch.sqrt(variance + norm.eps))
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
