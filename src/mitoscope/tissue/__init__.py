"""Where there is tissue on a slide, and how much of it."""

from mitoscope.tissue.colour import StainDensity, stain_density
from mitoscope.tissue.find import find_tissue
from mitoscope.tissue.focus import BLURRED, Focus, measure_focus
from mitoscope.tissue.mask import TissueMask
from mitoscope.tissue.nuclei import NucleiScale, nuclei_scale

__all__ = [
    "BLURRED",
    "Focus",
    "NucleiScale",
    "StainDensity",
    "TissueMask",
    "find_tissue",
    "measure_focus",
    "nuclei_scale",
    "stain_density",
]
