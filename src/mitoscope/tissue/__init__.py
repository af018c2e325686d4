"""Where there is tissue on a slide, and how much of it."""

from mitoscope.tissue.colour import StainDensity, stain_density
from mitoscope.tissue.find import find_tissue
from mitoscope.tissue.mask import TissueMask

__all__ = ["StainDensity", "TissueMask", "find_tissue", "stain_density"]
