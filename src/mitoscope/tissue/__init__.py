"""Where there is tissue on a slide, and how much of it."""

from mitoscope.tissue.find import find_tissue
from mitoscope.tissue.mask import TissueMask
from mitoscope.tissue.stain import StainDensity, stain_density

__all__ = ["StainDensity", "TissueMask", "find_tissue", "stain_density"]
