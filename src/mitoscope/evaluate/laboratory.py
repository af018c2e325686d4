"""A bundle that expects a laboratory's share of figures among candidates, estimated there without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mitoscope.bundle import Bundle, FigureShare
from mitoscope.bundle.write import revise
from mitoscope.errors import ConfigError
from mitoscope.evaluate.bundle_calibration import results_of
from mitoscope.exchange import prior_shift_of, read_result
from mitoscope.statistics import PriorShift


def expect_share(bundle: Bundle, results: Sequence[Path], out: Path) -> tuple[PriorShift, FigureShare]:
    """Estimate the share of figures among all candidates of many results, and write a bundle that expects it.

    Small images together say what none of them says alone. The share of a slide is then drawn towards that
    of the laboratory, no longer towards that of the calibration.

    Parameters
    ----------
    bundle : Bundle
        Calibrated, with the share of figures there.
    results : sequence of Path
        Folders of the results that it gave, corrected or not.
    out : Path
        Folder of the new bundle.

    Returns
    -------
    tuple of PriorShift and FigureShare
        How the laboratory differs from the calibration, and what the new bundle states.

    Raises
    ------
    ConfigError
        If the bundle does not state the share of its calibration, results are of another bundle or of its
        first stage alone, a slide is among them twice, or there is no candidate.
    FormatError
        If a result is damaged.
    BundleError, OutputError
        If the bundle cannot be written.
    """
    line = bundle.manifest.calibration
    if line is None or line.figures is None:
        lacks = "are no probabilities" if line is None else "hold for a share of figures not stated"
        raise ConfigError(
            f"the scores of {bundle.manifest.source} {lacks}: nothing can be estimated from them",
            where=bundle.folder,
            mend="calibrate it on labelled fields with bundle calibrate --scores",
        )
    scores, seen = [np.empty(0)], dict[tuple[str, ...], Path]()
    for folder in results:
        for path, values in results_of(bundle, folder).items():
            score = read_result(path, with_tissue=False).candidates.score  # a damaged manifest ends here
            part = str(values["slide"].get("fingerprint")), str(values["search"]["region_px0"])
            if part in seen:
                raise ConfigError(f"the same slide as {seen[part]}", where=path, mend="name its result once")
            seen[part], shift = path, prior_shift_of(values, where=path)
            scores.append(score if shift is None else shift.undo(score))
    candidates = np.concatenate(scores)
    if not len(candidates):
        raise ConfigError(
            f"no candidate on {len(seen)} slides: nothing can be estimated",
            where=", ".join(map(str, results)),
            mend="name more results",
        )
    shift = line.prior_shift(candidates, expect_laboratory=False)
    assert shift is not None  # the calibration states its share
    stated = FigureShare(share=shift.estimated, candidates=len(candidates), images=len(seen))
    version = f"{bundle.manifest.version.partition('-')[0]}-calibrated"
    revise(bundle, out, {"version": version, "calibration": line.model_copy(update={"laboratory": stated})})
    return shift, stated
