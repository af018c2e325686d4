"""From pixels to points: one window rule, one border rule, one merge.

Whoever looks for figures looks this way: a run over a slide, training's own validation and its search for
hard negatives, the loops that mine unlabelled slides. A *source* is anything that has a size and can be read
by region: a slide at a stated resolution, or a field that is trained on. A *window* is what a network is
shown of a place (`read_windows`); beyond the source it is the mirror image or white (`mirrored`). Networks
answer in points of a window; `find` keeps of them what each tile owns, in px of the source, and `merge` of
`mitoscope.tiles` makes them the points of the whole.

Training windows are cut by the same rule (`window`), so that a network sees the same pixels of a place when
it learns and when it is asked. A network is a function of arrays here: nothing of this needs torch.
"""

from __future__ import annotations

from mitoscope.search.find import Detector, Find, Found, Look, find, in_batches
from mitoscope.search.windows import Block, Source, crop_at, mirrored, read_windows, window

__all__ = [
    "Block",
    "Detector",
    "Find",
    "Found",
    "Look",
    "Source",
    "crop_at",
    "find",
    "in_batches",
    "mirrored",
    "read_windows",
    "window",
]
