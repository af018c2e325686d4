"""Training: one loop, recipes in TOML, and a model bundle at the end."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mitoscope.train.recipe import DualRecipe, Recipe
from mitoscope.train.train import show_samples, train

__all__ = ["DualRecipe", "Recipe", "show_samples", "train"]


class _TrainPackage(ModuleType):
    """The package as the verb of the command line: ``mitoscope.train(…)`` is `train`.

    A module and a function cannot both have the name; which of them it stood for would depend on what was
    imported before.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See `train`."""
        return train(*args, **kwargs)


sys.modules[__name__].__class__ = _TrainPackage
