"""Whether the colours of a slide can be those of H&E: channels swapped, YCbCr read as RGB, another stain.

Two readers that make the same mistake agree, and a detector finds figures in any colours: so every slide is
looked at once, on the small picture on which its tissue is found and in one window of single cells.

The limits were set on the pictures of eleven laboratories and scanners, none of which is doubted, against the
same pictures with their channels permuted, read as YCbCr, inverted, grey, dark, and recoloured as
immunohistochemistry and fluorescence; `docs/detector.md` has the table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.tissue.colour import optical_density

DENSITY_MIN = 0.08
"""Mean optical density of what is not glass, whatever its colour."""
PIXELS_MIN = 64
"""Fewer such pixels of 8 µm say nothing."""
UNINKED_MIN = 0.25
"""Share of them beside the ink by which the picture is judged; in false colours all looks like ink."""
BRIGHT_MIN = 140
"""Grey levels that the brightest 2 % reach: 161 in the darkest of the pictures."""
COLOURED_MIN = 0.05
"""Share of dense pixels with a colour; at least 0.95 in the pictures."""
CHROMA_MIN = 0.15
"""Range of the optical densities of a pixel with a colour, as a share of their mean."""
WRONG_HUE_MARGIN = 0.1
"""By how much of the mean density red or blue is absorbed more than green by a pixel of another hue."""
WRONG_HUES_MAX = 0.4
"""Share of pixels of another hue; at most 0.25 in the pictures."""
CHROMA_SPREAD_MIN = 0.5
"""Deviation of green and blue as a share of that of red, which alone varies where it is the brightness of
YCbCr; at least 0.55 in the pictures."""
DETAIL_MPP = 1.0
"""Resolution in µm/px at which nuclei are told from what is around them."""
DETAIL_PIXELS_MIN = 4096
"""Stained pixels of that size that it takes: 64 µm square."""
CORRELATION_MAX = 0.6
"""Of (red − blue) with (green − red and blue), as shares of the density. Haematoxylin absorbs red more than
blue, eosin green alone: the correlation is negative, -0.7 in the middle of the pictures, at most 0.51;
0.6 to 0.97 where red and blue are swapped, 0.98 where eosin is replaced by the brown of DAB."""
DEVIATION_MIN = 0.02
"""Optical density by which pixels have to differ for the direction in which they do to mean anything."""
GREEN_LEAST = -0.12
"""What green rises beside the mean of red and blue along the main direction of the optical densities, of
length 1: what is stained more takes more of it. At least -0.02 in the pictures, at most -0.24 where YCbCr is
read as RGB, whose chroma falls where its brightness rises."""
RED_SPREAD_MIN = 0.8
"""Deviation of the optical density of red as a share of that of blue. Haematoxylin absorbs red twice as much
as blue, eosin little of either, so red varies more: 1.8 times in the middle of the pictures, at least 0.96;
where red and blue are swapped it is the inverse. It is 0.6 in a window of muscle without nuclei, where eosin
alone varies and the correlation above is clearly negative: it counts only where that is not."""

Floats = NDArray[np.float32]


def doubt_colours(rgb: NDArray[np.uint8], valid: NDArray[np.bool_], ink: NDArray[np.bool_]) -> str:
    """Say why the colours of a slide cannot be those of H&E.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
        Mean colours of about 8 µm of slide each.
    valid : ndarray of bool, shape (h, w)
        Where the slide was scanned.
    ink : ndarray of bool, shape (h, w)
        Where its colours are those of marker pen.

    Returns
    -------
    str
        The reason; empty where there is none, or too little to be judged.
    """
    density = optical_density(rgb)
    dense = valid & (density.mean(axis=-1) > DENSITY_MIN)
    if np.count_nonzero(dense) < PIXELS_MIN:
        return ""
    if np.percentile(rgb.max(axis=-1)[valid], 98) < BRIGHT_MIN:
        return "nothing is bright, neither glass nor pale tissue"
    beside_ink = dense & ~ink
    enough = max(PIXELS_MIN, UNINKED_MIN * np.count_nonzero(dense))
    where = beside_ink if np.count_nonzero(beside_ink) >= enough else dense
    if _coloured(density[where]).mean() < COLOURED_MIN:
        return "the picture is grey"
    return _doubt_hues(density[where]) or _doubt_spread(rgb[valid & (where | ~dense)])


def _coloured(density: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.ptp(density, axis=-1) > CHROMA_MIN * density.mean(axis=-1))


def _doubt_hues(density: Floats) -> str:
    red, green, blue = density.T
    other = np.maximum(red, blue) - green > WRONG_HUE_MARGIN * density.mean(axis=-1)
    share = float(other.mean())
    if share <= WRONG_HUES_MAX:
        return ""
    return f"{share:.0%} of what is stained absorbs red or blue more than green"


def _doubt_spread(rgb: NDArray[np.uint8]) -> str:
    red, green, blue = (float(value) for value in rgb.reshape(-1, 3).std(axis=0, dtype=np.float64))
    if max(green, blue) >= CHROMA_SPREAD_MIN * red:
        return ""
    return "green and blue hardly vary beside red, as where YCbCr is read as RGB"


def doubt_stains(rgb: NDArray[np.uint8], valid: NDArray[np.bool_]) -> str:
    """Say why the stains of a window cannot be haematoxylin and eosin.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
        At 1 µm/px.
    valid : ndarray of bool, shape (h, w)
        Where the slide was scanned.

    Returns
    -------
    str
        The reason; empty where there is none, or too little to be judged.

    Notes
    -----
    Swapped red and blue are hard to tell, for haematoxylin lies near the middle between them. Two signs do:
    the hue of nuclei beside that of cytoplasm, and how much red and blue vary.
    """
    density = optical_density(rgb)
    mean = density.mean(axis=-1)
    dense = valid & (mean > DENSITY_MIN)
    if np.count_nonzero(dense) < DETAIL_PIXELS_MIN:
        return ""
    return _doubt_hue_of_cells(density[dense], mean[dense]) or _doubt_direction(density[dense])


def _doubt_hue_of_cells(density: Floats, mean: Floats) -> str:
    red, green, blue = (density / mean[:, None]).T
    nuclear, eosin = red - blue, green - (red + blue) / 2
    if min(nuclear.std(), eosin.std()) < 1e-6:
        return ""
    correlation = np.corrcoef(nuclear, eosin)[0, 1]
    varies = density.std(axis=0)
    less_red = correlation > 0 and varies[0] < RED_SPREAD_MIN * varies[2]
    if correlation <= CORRELATION_MAX and not less_red:
        return ""
    return "nuclei do not absorb red as haematoxylin does: red and blue are swapped, or the stain is another"


def _doubt_direction(density: Floats) -> str:
    """Look along which direction pixels become denser."""
    variances, directions = np.linalg.eigh(np.cov(density.T.astype(np.float64)))
    if variances[-1] < DEVIATION_MIN**2:
        return ""
    main = directions[:, -1]
    red, green, blue = (float(part) for part in main * np.sign(main.sum()))
    if green - (red + blue) / 2 >= GREEN_LEAST:
        return ""
    return "what is denser absorbs no more green beside red and blue, as where YCbCr is read as RGB"


def densest_place(rgb: NDArray[np.uint8], valid: NDArray[np.bool_], side: int) -> tuple[int, int]:
    """Return row and column of the middle of the square of a side, in px, that is stained most."""
    dense = valid & (optical_density(rgb).mean(axis=-1) > DENSITY_MIN)
    share = ndimage.uniform_filter(dense.astype(np.float32), max(1, side), mode="constant")
    row, column = np.unravel_index(int(share.argmax()), share.shape)
    return int(row), int(column)
