"""Several results as one: what detectors found near one another is one finding, scored by all of them.

Points are joined as boxes are by weighted boxes fusion (Solovyev et al. 2021, Image and Vision Computing 107:
104117): of findings of different detectors within a radius the place is the mean, weighted by weight and
score, and the score the mean by weight, to which a detector that found nothing there adds nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.exchange import Result, read_all_manifests, read_result
from mitoscope.geometry import BoxPx, BoxPx0, Mpp, SizePx, near_pairs
from mitoscope.infer import software
from mitoscope.labels import MITOTIC_FIGURE, is_figure
from mitoscope.results.calibration import Calibration, Detector, named, score
from mitoscope.results.given import GivenFindings, Source, joined_words
from mitoscope.results.settings import JoinSettings
from mitoscope.slide import Level, SlideInfo, open_slide
from mitoscope.tissue import Focus, TissueMask
from mitoscope.wording import say_number

_MEND: Final = "repeat the detection or the import"


@dataclass(frozen=True, eq=False)
class _Member:
    """What one detector found on one slide."""

    detector: Detector
    values: Mapping[str, Any]
    result: Result
    region: BoxPx0

    @property
    def found(self) -> Detections:
        """Its findings."""
        return self.result.candidates

    @property
    def threshold(self) -> float:
        """Its own threshold."""
        return self.found.searched.threshold or 0.0


def join_results(
    folders: Sequence[str | Path],
    *,
    settings: JoinSettings | None = None,
    calibration: Calibration | None = None,
    slides: Mapping[str, str | Path] | None = None,
) -> Iterator[GivenFindings]:
    """Join what several detectors found, slide by slide.

    Parameters
    ----------
    folders : sequence of str or Path
        Results of a detector each: of a bundle, or imported.
    settings : JoinSettings, optional
        Radius, weights and threshold.
    calibration : Calibration, optional
        Of the joined scores.
    slides : mapping of str to str or Path, optional
        Name of a slide → its file, where reports with pictures are wanted.

    Yields
    ------
    GivenFindings
        On the part of each slide that all of them searched.

    Raises
    ------
    ConfigError
        If there are fewer than two folders, two hold the same results, weights do not go with them, a folder
        holds results of several detectors, or a slide is missing in one of them.
    FormatError
        If a result is damaged, or two are of different files of one name.
    """
    asked, paths = settings or JoinSettings(), [Path(folder) for folder in folders]
    if len(paths) < 2:
        raise ConfigError("nothing to join", mend="name two folders of results or more")
    weights = asked.weights or (1.0,) * len(paths)
    if len(weights) != len(paths):
        raise ConfigError(
            f"{len(weights)} weights for {len(paths)} folders", where="--weights", mend="give one a folder"
        )
    found = [_manifests(folder) for folder in paths]
    names = _common(found, paths, leave_out=asked.common)
    detectors = [_one_detector(each, folder) for each, folder in zip(found, paths, strict=True)]
    source = _source(detectors, asked, weights)
    if calibration is not None:
        calibration.check(Detector(name=source.name, version=source.version, recipe=source.fingerprint))
    for name in names:
        members = [_member(each[name], detector) for each, detector in zip(found, detectors, strict=True)]
        yield _joined(members, source, asked, weights, calibration, (slides or {}).get(name))


def names_to_join(folders: Sequence[Path], *, common: bool) -> list[str]:
    """Return the names of the slides that `join_results` will join; errors as there."""
    return _common([_manifests(folder) for folder in folders], folders, leave_out=common)


def _manifests(folder: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Return the manifests in a folder by the name of their slide."""
    found = {}
    for path, values in read_all_manifests(folder).items() if folder.is_dir() else ():
        try:
            found[str(values["slide"]["name"])] = path, values
            for used in (_opened_with, _focus, lambda stated: named(stated.get("detector", {}))):
                used(values)
        except (AttributeError, KeyError, TypeError) as error:
            raise FormatError(f"the manifest is damaged ({error!r})", where=path, mend=_MEND) from None
    if not found:
        raise ConfigError("no results", where=folder, mend="give folders that detect or results import wrote")
    return found


def _common(
    found: Sequence[Mapping[str, tuple[Path, dict[str, Any]]]], folders: Sequence[Path], *, leave_out: bool
) -> list[str]:
    everywhere = set.intersection(*(set(each) for each in found))
    for (first, one), (second, other) in itertools.combinations(zip(found, folders, strict=True), 2):
        if everywhere and all(first[name][1] == second[name][1] for name in everywhere):
            raise ConfigError(
                f"the results are those of {one}", where=other, mend="name the results of another detector"
            )
    missing = sorted(set().union(*found) - everywhere)
    if missing and not leave_out:
        without = next(folder for folder, each in zip(folders, found, strict=True) if missing[0] not in each)
        raise ConfigError(
            f"no result of {missing[0]}, which others have",
            where=without,
            mend="search it there, too, or join what all have with --common",
        )
    if not everywhere:
        raise ConfigError(
            "no slide is in all folders", where=folders[0], mend="give results of the same slides"
        )
    return sorted(everywhere)


def _one_detector(found: Mapping[str, tuple[Path, dict[str, Any]]], folder: Path) -> Detector:
    detectors = {named(values["detector"]) for _, values in found.values() if "detector" in values}
    if len(detectors) != 1:
        names = joined_words(sorted({one.name for one in detectors}) or ["none"])
        raise ConfigError(f"results of several detectors: {names}", where=folder, mend="give those of one")
    return next(iter(detectors))


def _source(detectors: Sequence[Detector], asked: JoinSettings, weights: Sequence[float]) -> Source:
    """Return the detectors together: known by a hash of who they are and how they are joined."""
    members = [
        {"name": one.name, "version": one.version, "fingerprint": one.recipe, "weight": weight}
        for one, weight in zip(detectors, weights, strict=True)
    ]
    recipe = {"members": members, "radius_um": asked.radius_um}
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    shown = [f"{one.name} {one.version}".strip() for one in detectors]
    return Source(
        name=f"{joined_words(shown)} joined",
        version="",
        fingerprint=digest,
        kind="joined",
        facts={
            "Joined": "; ".join(f"{one} (weight {w:g})" for one, w in zip(shown, weights, strict=True)),
            "Radius": f"{asked.radius_um:g} µm",
            "Fingerprint": digest,
        },
        more=recipe,
    )


def _member(found: tuple[Path, dict[str, Any]], detector: Detector) -> _Member:
    path, values = found
    result = read_result(path)
    if result.tissue is None:
        raise FormatError("the mask of its tissue is missing", where=path, mend=_MEND)
    return _Member(detector, values, result, BoxPx0(*values["search"]["region_px0"]))


def _joined(
    members: Sequence[_Member],
    source: Source,
    asked: JoinSettings,
    weights: Sequence[float],
    calibration: Calibration | None,
    file: str | Path | None,
) -> GivenFindings:
    first = members[0]
    info = _info(members, file)
    region = first.region
    for one in members[1:]:
        common = region.intersection(one.region)
        if common is None:
            raise FormatError(
                f"no part of {info.name} was searched by {first.detector.name} and {one.detector.name}",
                mend="search the same part with both",
            )
        region = common
    parts = [_within(one.found, region) for one in members]
    fused = fuse(parts, weights, radius_um=asked.radius_um, mpp=info.mpp, source=source.name)
    own = sum(w * one.threshold for w, one in zip(weights, members, strict=True)) / sum(weights)
    scored = score(
        fused.detections,
        calibration,
        threshold=asked.threshold,
        point=asked.point,
        default=(own, "the weighted mean of the thresholds of all: results calibrate chooses one"),
    )
    gaps = tuple(dict.fromkeys(gap for one in members for gap in one.found.searched.gaps))
    tissue = _tissue(members)
    return GivenFindings(
        slide=info,
        detections=scored.detections,
        threshold=scored.threshold,
        threshold_source=scored.source,
        region_px0=region,
        tissue=tissue,
        tissue_mm2=tissue.area_in(region),
        gaps=gaps,
        gap_mm2=_area_mm2(gaps, info.mpp),
        status="complete_with_gaps" if gaps else "complete",
        versions=software(info),
        notes=fused.notes([one.detector.name for one in members]),
        stage="joined",
        point=scored.point,
        correction=scored.correction,
        focus=_focus(first.values),
        by=source.finder(scored.line),
        asked=asked,
        opened_with=_opened_with(first.values),
        line=scored.line,
    )


def _within(found: Detections, region: BoxPx0) -> Detections:
    x, y = found.x_px0, found.y_px0
    inside = (x >= region.x) & (x <= region.right) & (y >= region.y) & (y <= region.bottom)
    return found.take(inside)


def _info(members: Sequence[_Member], file: str | Path | None) -> SlideInfo:
    """Return what the results say of their slide, which must be one; its own words where it is there."""
    stated = [one.values["slide"] for one in members]
    for key, what in (("fingerprint", "files"), ("size_px0", "sizes"), ("mpp", "resolutions")):
        if any(one[key] != stated[0][key] for one in stated[1:]):
            raise FormatError(
                f"results of two {what} of {stated[0]['name']}", mend="search the same slide with both"
            )
    slide, size = stated[0], SizePx(*stated[0]["size_px0"])
    if file is not None:
        mpp, override = _opened_with(members[0].values)
        with open_slide(file, mpp=mpp, mpp_override=override) as opened:
            if opened.info.fingerprint == slide["fingerprint"]:
                return opened.info
        raise FormatError("the slide has changed since it was searched", where=file, mend=_MEND)
    return SlideInfo(
        path=None,
        name=str(slide["name"]),
        reader=str(slide.get("reader")),
        size=size,
        levels=(Level(size, 1.0, 1.0),),
        mpp=Mpp(*slide["mpp"]),
        mpp_source=str(slide.get("mpp_source")),
        objective_power=slide.get("objective_power"),
        bounds=None if slide.get("bounds_px0") is None else BoxPx(*map(int, slide["bounds_px0"])),
        vendor=slide.get("vendor"),
        fingerprint=str(slide["fingerprint"]),
        reader_reason=slide.get("reader_reason"),
        has_icc_profile=slide.get("icc_profile") != "none",
    )


def _opened_with(values: Mapping[str, Any]) -> tuple[float | None, bool]:
    asked = values.get("configuration") or {}
    return asked.get("mpp"), bool(asked.get("mpp_override"))


def _tissue(members: Sequence[_Member]) -> TissueMask:
    """Return the tissue as the first result states it, with the doubt that any had of the colours."""
    mask, quality = members[0].result.tissue, members[0].values.get("quality") or {}
    assert mask is not None  # `_member` saw to it
    doubts = [one.found.searched.colour_doubt for one in members]
    stain = quality.get("stain_density")
    return replace(
        mask,
        stain=None if stain is None else tuple(stain),
        colour_doubt=next(filter(None, doubts), ""),
        ink_mm2=quality.get("ink_mm2"),
    )


def _focus(values: Mapping[str, Any]) -> Focus | None:
    """Return how sharp the slide is, as a result states it."""
    stated = (values.get("quality") or {}).get("focus")
    return None if stated is None else Focus(**stated)


def _area_mm2(boxes: Sequence[BoxPx0], mpp: Mpp) -> float:
    shapes = [shapely.box(box.x, box.y, box.right, box.bottom) for box in boxes]
    return float(shapely.union_all(shapes).area) * mpp.pixel_area_mm2 if shapes else 0.0


@dataclass(frozen=True, eq=False)
class Fused:
    """Findings of several detectors as one.

    Parameters
    ----------
    detections : Detections
    found_by : ndarray of bool, shape (n, detectors)
        Which detectors found each.
    """

    detections: Detections
    found_by: NDArray[np.bool_]

    def notes(self, names: Sequence[str]) -> tuple[str, ...]:
        """Say how many were found by all, and how many by one alone."""
        times = self.found_by.sum(axis=1)
        alone = [
            f"{int((self.found_by[:, place] & (times == 1)).sum()):,} by {name} alone"
            for place, name in enumerate(names)
        ]
        together = int((times == len(names)).sum())
        return (f"{say_number(len(times), 'finding')}: {together:,} by all, {', '.join(alone)}",)


def fuse(
    parts: Sequence[Detections], weights: Sequence[float], *, radius_um: float, mpp: Mpp, source: str = ""
) -> Fused:
    """Join findings of several detectors on one slide.

    Parameters
    ----------
    parts : sequence of Detections
        Of each detector; what one of them found twice stays two.
    weights : sequence of float
        Of each.
    radius_um : float
        No two findings that are further apart become one.
    mpp : Mpp
        Of the slide.
    source : str
        Who the joined findings are of.

    Returns
    -------
    Fused
        By descending score. Nearest pairs are joined first; figures and other classes stay apart, and of
        kinds of figures that of the heaviest member is taken.
    """
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    both = Detections.concat([part for part in parts if len(part)] or [Detections.empty()])
    um = both.points_px0 * np.array([mpp.x, mpp.y])
    kinds = {
        name: MITOTIC_FIGURE.name if is_figure(name) else name for name in np.unique(both.label).tolist()
    }
    kind = np.array([kinds[name] for name in both.label.tolist()], np.str_)
    groups = _groups(um, owner, kind, radius_um)
    weight = np.asarray(weights, np.float64)
    size = int(groups.max()) + 1 if len(groups) else 0
    mass = weight[owner] * both.score
    total = np.bincount(groups, mass, size)
    # Where all scores are 0 each place counts for its weight.
    share = np.where(total[groups] > 0, mass, weight[owner]) if size else mass
    scale = np.bincount(groups, share, size)
    x, y = (np.bincount(groups, share * axis, size) / scale for axis in (both.x_px0, both.y_px0))
    found_by = np.zeros((size, len(parts)), np.bool_)
    found_by[groups, owner] = True
    heaviest = np.lexsort((np.arange(len(groups)), -mass, groups))
    leaders = heaviest[np.unique(groups[heaviest], return_index=True)[1]]
    mean = np.clip(total / weight.sum(), 0.0, 1.0)
    joined = Detections(x, y, mean, both.label[leaders], np.full(size, source))
    order = joined.order()
    return Fused(joined.take(order), found_by[order])


def _groups(
    um: NDArray[np.float64], owner: NDArray[np.intp], kind: NDArray[np.str_], radius_um: float
) -> NDArray[np.intp]:
    """Return the group of each finding, shape (n,): one kind, one of each detector, all within the radius."""
    first, second, distance = near_pairs(um, um, radius=radius_um)
    wanted = (first < second) & (owner[first] != owner[second]) & (kind[first] == kind[second])
    first, second, distance = first[wanted], second[wanted], distance[wanted]
    order = np.lexsort((second, first, distance))
    group = np.arange(len(um))
    members: dict[int, list[int]] = {}
    for one, other in zip(first[order].tolist(), second[order].tolist(), strict=True):
        a, b = int(group[one]), int(group[other])
        if a == b:
            continue
        left, right = members.get(a, [a]), members.get(b, [b])
        if not {owner[row] for row in left}.isdisjoint({owner[row] for row in right}):
            continue
        apart = um[left][:, None] - um[right][None]
        if (np.hypot(apart[..., 0], apart[..., 1]) > radius_um).any():
            continue
        members[a] = left + right
        members.pop(b, None)
        group[right] = a
    return np.unique(group, return_inverse=True)[1].astype(np.intp)
