"""Numbers that stand together: lists of a known length."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
"""Along x and along y."""
Box = Annotated[list[float], Field(min_length=4, max_length=4)]
"""x, y, width and height in level-0 px."""
AgreedBox = Annotated[list[float], Field(min_length=5, max_length=5)]
"""x, y, width and height in level-0 px, and the agreement of the crowd in [0, 1]."""
