"""Detectors on the same slides: `compare` searches and judges, `Compared` holds and writes it."""

from mitoscope.report.comparison.comparing import CalibrationSet, Compared, compare

__all__ = ["CalibrationSet", "Compared", "compare"]
