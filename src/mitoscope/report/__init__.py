"""The results of a run: tables, density map, HTML report and the manifest that vouches for them.

`detect` searches a slide and returns what can be counted, drawn and reported; `gather` counts the figures of
a run, `write_outputs` writes everything, `render_report` returns the page.
"""

from mitoscope.report.cohort_page import write_cohort_pages
from mitoscope.report.cohort_table import (
    CohortRow,
    cohort_row,
    collect_rows,
    rows_of_run,
    write_cohort_table,
)
from mitoscope.report.detection import DetectionResult, detect
from mitoscope.report.findings import Findings, gather
from mitoscope.report.makers import Makers, makers
from mitoscope.report.making import ResultSettings, make_result, open_detector_of
from mitoscope.report.outputs import FORMATS, output_names, render_report, write_outputs
from mitoscope.report.sending import check_outbox, send_result

__all__ = [
    "FORMATS",
    "CohortRow",
    "DetectionResult",
    "Findings",
    "Makers",
    "ResultSettings",
    "check_outbox",
    "cohort_row",
    "collect_rows",
    "detect",
    "gather",
    "make_result",
    "makers",
    "open_detector_of",
    "output_names",
    "render_report",
    "rows_of_run",
    "send_result",
    "write_cohort_pages",
    "write_cohort_table",
    "write_outputs",
]
