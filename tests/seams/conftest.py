"""Fixtures of the seams: a served study of one slide."""

from __future__ import annotations

from tests.web.conftest import clinic, quick_path, slides

__all__ = ["clinic", "quick_path", "slides"]
