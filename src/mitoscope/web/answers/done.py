"""The answer to what is done once, however often it is sent."""

from __future__ import annotations

from typing_extensions import TypedDict

from mitoscope.web.answers.exact import exact


@exact
class Done(TypedDict):
    """Something that is on disk, and whether it was so before this request came."""

    is_repeated: bool
