"""What holds for all forms of answers."""

from __future__ import annotations

from pydantic import ConfigDict, with_config

exact = with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
"""Marks a form that has no other keys than it states, and no NaN: where the server errs, it is seen."""
