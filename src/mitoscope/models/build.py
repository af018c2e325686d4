"""From a recipe's table to a network."""

from __future__ import annotations

import torch

from mitoscope.models.cells import Classifier, Regressor
from mitoscope.models.config import (
    ClassifierConfig,
    FasterRcnnConfig,
    FcnConfig,
    LiteFcnConfig,
    ModelConfig,
    RegressorConfig,
    RetinaNetConfig,
)
from mitoscope.models.family import Family
from mitoscope.models.faster_rcnn import FasterRcnn
from mitoscope.models.fcn import Fcn
from mitoscope.models.fcn_lite import LiteFcn
from mitoscope.models.retinanet import RetinaNet


def build(config: ModelConfig, *, seed: int) -> Family:
    """Return the network that a recipe asks for; its random weights are a function of the seed.

    Raises
    ------
    ConfigError
        If a backbone is not known.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        match config:
            case FcnConfig():
                return Fcn(config)
            case LiteFcnConfig():
                return LiteFcn(config)
            case FasterRcnnConfig():
                return FasterRcnn(config)
            case ClassifierConfig():
                return Classifier(config)
            case RegressorConfig():
                return Regressor(config)
            case RetinaNetConfig():
                return RetinaNet(config)
