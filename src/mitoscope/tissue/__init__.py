"""Where there is tissue on a slide, and how much of it."""

from mitoscope.tissue.find import find_tissue
from mitoscope.tissue.mask import TissueMask

__all__ = ["TissueMask", "find_tissue"]
