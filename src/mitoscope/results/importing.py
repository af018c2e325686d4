"""Findings of another program as a result of a slide: read, placed, named and scored, each by its owner."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError, PlacementError
from mitoscope.exchange import BoxLayout
from mitoscope.exchange.foreign import ForeignFindings, read_foreign
from mitoscope.image_names import last_part, stem
from mitoscope.infer import region_of, software
from mitoscope.labels import CANDIDATE, IGNORED, MITOTIC_FIGURE, LabelMapping, is_candidate
from mitoscope.results.calibration import Calibration, Detector, score
from mitoscope.results.given import GivenFindings, Source, joined_words
from mitoscope.results.placing import place
from mitoscope.results.settings import ImportSettings, probabilities
from mitoscope.slide import SlideInfo, open_slide
from mitoscope.tissue import find_tissue, measure_focus
from mitoscope.wording import say_number
from mitoscope.written import sha256_file

UNNAMED: Final = "no class"
"""What findings without a class are called beside such as have one: ``--label "no class=ignore"``."""
_NAMED_MOST: Final = 8
_SIZE_TOLERANCE: Final = 0.01
"""Sizes of levels are rounded."""


def import_findings(
    slide: Path | str,
    file: str | Path,
    *,
    settings: ImportSettings | None = None,
    mapping: LabelMapping | None = None,
    boxes: BoxLayout | None = None,
    calibration: Calibration | None = None,
) -> GivenFindings:
    """Take what another program found on a slide as if it had been searched here.

    Parameters
    ----------
    slide : Path or str
        The slide: its size, resolution and tissue are read.
    file : str or Path
        What the program wrote; see `mitoscope.exchange.foreign.read_foreign`.
    settings : ImportSettings, optional
        What the file does not say.
    mapping : LabelMapping, optional
        What its class names stand for.
    boxes : BoxLayout, optional
        How it states boxes.
    calibration : Calibration, optional
        Operating points and calibration of this program's scores.

    Returns
    -------
    GivenFindings
        For the functions of `mitoscope.report` that write results.

    Raises
    ------
    FormatError
        If the file cannot be read, or is of another image.
    PlacementError
        If the findings cannot lie on this slide where it says.
    UnknownLabelError
        If a class name is not known.
    ConfigError
        If scores are not in [0, 1] and nobody says what they are, or settings do not fit the file.
    SlideError
        If the slide cannot be read.
    """
    asked, file = settings or ImportSettings(), Path(file)
    with open_slide(slide, mpp=asked.mpp, mpp_override=asked.mpp_override) as opened:
        info, tissue = opened.info, find_tissue(opened)
        stated = (asked.frame, "--frame") if asked.roi is None else (asked.roi, "--roi")
        region = region_of(info, stated[0], where=stated[1])
        focus = measure_focus(opened, tissue, region_px0=region)
    read = read_foreign(file, kind=asked.kind, columns=asked.columns, boxes=boxes, mpp=info.mpp)
    own = _of_slide(read, info, asked, file)
    placed = place(own, info, tissue, asked, where=file)
    x, y = placed.points_px0.T
    searched = (x >= region.x) & (x <= region.right) & (y >= region.y) & (y <= region.bottom)
    notes = [*own.notes, *placed.notes]
    if left := int((placed.inside & ~searched).sum()):
        notes.append(f"{say_number(left, 'finding')} outside of the part that was searched left out")
    detections, names = _named(
        own, placed.points_px0, placed.inside & searched, mapping or LabelMapping(), asked, file
    )
    source = _source(own, file, asked, names)
    default = 0.0, f"all that {source.name} found"
    if detections.searched.threshold is not None:
        default = detections.searched.threshold, "its labels"
    if calibration is not None:
        calibration.check(Detector(name=source.name, version=source.version))
    scored = score(detections, calibration, threshold=asked.threshold, point=asked.point, default=default)
    return GivenFindings(
        slide=info,
        detections=scored.detections,
        threshold=scored.threshold,
        threshold_source=scored.source,
        region_px0=region,
        tissue=tissue,
        tissue_mm2=tissue.area_in(region),
        gaps=(),
        gap_mm2=0.0,
        status="complete",
        versions=software(info),
        notes=(*info.notes, *notes, *_name_notes(names, own)),
        stage="imported",
        point=scored.point,
        correction=scored.correction,
        focus=focus,
        by=source.finder(scored.line),
        asked=asked,
        opened_with=(asked.mpp, asked.mpp_override),
        line=scored.line,
    )


def _of_slide(read: ForeignFindings, info: SlideInfo, asked: ImportSettings, file: Path) -> ForeignFindings:
    """Return the findings of the slide's own image, which must be of its size where the file states one."""
    images = read.images
    if images == ("",) and asked.image is not None:
        raise ConfigError(
            f"the file names no image, so that none of them can be {asked.image!r}",
            where="--image",
            mend="leave it out",
        )
    wanted = asked.image if asked.image is not None else info.name
    named = [name for name in images if name and stem(name) == stem(wanted)]
    if not named and images != ("",):
        shown = ", ".join(repr(last_part(name)) for name in images[:_NAMED_MOST])
        more = f" and {len(images) - _NAMED_MOST} more" if len(images) > _NAMED_MOST else ""
        raise FormatError(
            f"it is of {'the image' if len(images) == 1 else 'the images'} {shown}{more}, not of {wanted}",
            where=file,
            mend="give the slide's own file, or name the image of this slide with --image NAME",
        )
    if len(named) > 1 and wanted not in named:
        shown = ", ".join(map(repr, named[:_NAMED_MOST]))
        raise FormatError(
            f"several of its images may be {wanted}: {shown}",
            where=file,
            mend="name the image of this slide with --image NAME",
        )
    own = read if images == ("",) else read.of_image(wanted if wanted in named else named[0])
    if own.sizes and not (asked.as_is or asked.scale or asked.file_mpp or asked.frame):
        _check_size(next(iter(own.sizes.values())), info, file)
    return own


def _check_size(stated: tuple[float, float], info: SlideInfo, file: Path) -> None:
    if min(stated) <= 0:
        return
    ratio = info.size.width / stated[0], info.size.height / stated[1]
    if max(abs(one - 1) for one in ratio) <= _SIZE_TOLERANCE:
        return
    is_level = abs(ratio[0] / ratio[1] - 1) <= _SIZE_TOLERANCE
    what = f"the file states an image of {stated[0]:g} × {stated[1]:g} px, the slide has {info.size.width} × "
    raise PlacementError(
        f"{what}{info.size.height}",
        where=file,
        mend=f"if it is the same picture, give --scale {ratio[0]:.6g}; if a part of it, --frame X,Y,W,H"
        if is_level
        else "say with --frame X,Y,W,H which part of the slide it is; --as-is takes the places as they are",
    )


def _named(
    own: ForeignFindings,
    points: NDArray[np.float64],
    kept: NDArray[np.bool_],
    mapping: LabelMapping,
    asked: ImportSettings,
    file: Path,
) -> tuple[Detections, dict[str, str]]:
    """Return the findings under the classes that their names stand for, and what each name stands for."""
    counts = own.counts
    unnamed = counts.pop("", 0)
    if unnamed and any(counts.values()):
        counts[UNNAMED] = unnamed  # beside named ones they may be anything
    counts = {name: count for name, count in counts.items() if count}
    candidates = {name: CANDIDATE.name for name in counts if is_candidate(name)}
    rest = {name: count for name, count in counts.items() if name not in candidates}
    class_of = mapping.map_names(rest, where=file) | candidates
    shown = [name or (UNNAMED if UNNAMED in class_of else "") for name in own.names]
    classes = [class_of.get(name, MITOTIC_FIGURE.name if name == "" else IGNORED) for name in shown]
    wanted = np.array([name != IGNORED for name in classes], np.bool_)
    rows = kept & wanted[own.label] if len(own) else kept
    # Scores of what is left out may be of another kind, or none.
    scores = probabilities(own.score[rows], asked.scores, where=file)
    detections = Detections(
        points[rows, 0],
        points[rows, 1],
        scores,
        np.array(classes or [""], np.str_)[own.label[rows]],
        np.full(int(rows.sum()), asked.program or own.program),
    )
    return detections.with_candidates_as_figures(), class_of


def _name_notes(names: Mapping[str, str], own: ForeignFindings) -> list[str]:
    notes = []
    left = {
        name: own.counts.get("" if name == UNNAMED else name, 0)
        for name, of in names.items()
        if of == IGNORED
    }
    if left:
        total = say_number(sum(left.values()), "finding")
        shown = joined_words([f"{name} ({count:,})" for name, count in list(left.items())[:_NAMED_MOST]])
        notes.append(f"{total} of other classes are left out: {shown}")
    told = [
        f"{name!r} is read as {of}" for name, of in names.items() if of not in (IGNORED, name, CANDIDATE.name)
    ]
    if told:
        notes.append(f"class names: {', '.join(told)}")
    if len(own) and np.isnan(own.score).all():
        notes.append("the file states no scores: each finding counts with 1")
    elif len(own):
        taken = np.array([names.get(name or UNNAMED, name) != IGNORED for name in own.names])[own.label]
        if bare := int(np.isnan(own.score[taken]).sum()):
            notes.append(f"{bare:,} of {taken.sum():,} findings have no score: each of them counts with 1")
    return notes


def _source(own: ForeignFindings, file: Path, asked: ImportSettings, names: Mapping[str, str]) -> Source:
    name, digest = asked.program or own.program, sha256_file(file)
    return Source(
        name=name,
        version="",
        fingerprint=None,
        kind="imported",
        facts={
            "Program": name,
            "Form": own.program,
            "File": file.name,
            "Fingerprint": f"sha256:{digest}",
            "Findings in the file": f"{len(own):,}",
        },
        more={
            "file": {"name": file.name, "sha256": digest, "findings": len(own), "form": own.program},
            "label_names": dict(names),
        },
    )
