"""The grid of tiles over a slide and the merge of what was found in them: two halves of one contract."""

from mitoscope.tiles.grid import Tile, TileGrid, owned
from mitoscope.tiles.merge import merge, suppress

__all__ = ["Tile", "TileGrid", "merge", "owned", "suppress"]
