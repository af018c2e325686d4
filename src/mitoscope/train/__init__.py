"""Training: one loop, recipes in TOML, and a model bundle at the end."""

from mitoscope.train.recipe import Recipe
from mitoscope.train.run import train

__all__ = ["Recipe", "train"]
