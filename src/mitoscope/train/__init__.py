"""Training: one loop, recipes in TOML, and a model bundle at the end."""

from mitoscope.train.recipe import DualRecipe, Recipe
from mitoscope.train.train import show_samples, train

__all__ = ["DualRecipe", "Recipe", "show_samples", "train"]
