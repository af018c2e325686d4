"""What all parts of a manifest share: strictness, and the types of their fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mitoscope.geometry import MPP_MAX, MPP_MIN

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([.-][0-9A-Za-z.-]+)?$")]
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Score = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[float, Field(ge=MPP_MIN, le=MPP_MAX)]


class Part(BaseModel):
    """A table of a manifest: frozen; unknown keys, other types and what is not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
