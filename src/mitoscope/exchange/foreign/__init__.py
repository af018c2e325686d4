"""Findings of other programs, as their files have them: read into columns, believed by nobody yet.

`read_foreign` is the one door. Where they lie on a slide, and what their scores and class names mean, is
settled by :mod:`mitoscope.results`.
"""

from mitoscope.exchange.foreign.findings import ForeignFindings, Unit
from mitoscope.exchange.foreign.reading import KINDS, read_foreign
from mitoscope.exchange.foreign.tables import FIELDS

__all__ = ["FIELDS", "KINDS", "ForeignFindings", "Unit", "read_foreign"]
