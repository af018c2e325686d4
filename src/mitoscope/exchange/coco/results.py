"""The list that COCO tools call results: boxes with scores, of images and classes that it does not name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.exchange.classes import LabelFinder
from mitoscope.exchange.format import Content, ReadOptions
from mitoscope.exchange.json_text import a_list, a_mapping, a_number, a_text, an_integer, read_json
from mitoscope.image_names import match_stems
from mitoscope.labels import IGNORED, LabelMapping, is_candidate
from mitoscope.store import Rater, RaterKind, Shape, SlideRecord, Study, StudyBuilder

_MEMBERS = frozenset({"image_id", "category_id", "score"})


def is_results_list(path: Path) -> bool:
    """Return whether a file is a list of results, by its beginning."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    head = Content(path).text_head.lstrip()
    return head.startswith("[") and all(f'"{name}"' in head for name in _MEMBERS)


def is_results(document: object) -> bool:
    """Return whether a JSON value is a list of results, by its first row."""
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and first.keys() >= _MEMBERS


def read_results_of_slide(rows: Sequence[Any], path: Path, options: ReadOptions) -> Study:
    """Read a list of results of one image as what a model found on a slide.

    Parameters
    ----------
    rows : sequence
        ``{"image_id", "category_id", "bbox": [x, y, w, h], "score"}``; a class is called by its number.
    path : Path
        The file.
    options : ReadOptions
        Name of the slide, its resolution, and the model (``rater``, by default ``model``).

    Raises
    ------
    FormatError
        If no slide is named, or the rows are of several images.
    """
    if options.slide is None:
        raise FormatError(
            "a COCO list of results has ids in place of names of images",
            where=path,
            mend="name its slide with --slide, or import a COCO file with images, annotations and categories",
        )
    images = {row["image_id"] for row in rows if isinstance(row, dict) and _is_id(row.get("image_id"))}
    if len(images) > 1:
        raise FormatError(
            f"a COCO list of results of {len(images)} images cannot be of one slide",
            where=path,
            mend="write a file for each image, or import a COCO file with images, annotations and categories",
        )
    build, names = StudyBuilder(), LabelFinder()
    slide = build.slide(SlideRecord(options.slide, mpp=options.mpp))
    # Whoever names one algorithm (--model) names it as well as who names the rater.
    named = sorted(options.models - ReadOptions().models)
    rater = build.rater(options.speaker(Rater(named[0] if len(named) == 1 else "model", RaterKind.MODEL)))
    for place, row in enumerate(rows):
        where = f"{path}: [{place}]"
        with build.aside(row, where=where, slide=options.slide):
            values = a_mapping(row, where)
            an_integer(values.get("image_id"), where)
            category = an_integer(values.get("category_id"), where)
            (x, y, width, height), score = _box_and_score(values, where)
            cell = build.cell(slide, (x, y, x + width, y + height), shape=Shape.BOX)
            build.event(cell, rater, build.label(names.find(str(category))), score=score)
    return build.build()


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_results_list(path: Path, names: Path, *, mapping: LabelMapping) -> dict[str, Detections]:
    """Read a list of results by the stem of the image's name.

    Parameters
    ----------
    path : Path
        ``[{"image_id", "category_id", "bbox": [x, y, w, h], "score"}, ...]``.
    names : Path
        The COCO file whose images and categories the ids mean: that of the ground truth.
    mapping : LabelMapping
        What class names stand for.

    Raises
    ------
    FormatError
        If a row is no result, or an id stands in neither.
    UnknownLabelError
        If a class name is not known.
    """
    images, categories = _names(names)
    rows = [
        _row(a_mapping(one, f"{path}: [{place}]"), f"{path}: [{place}]", images, categories)
        for place, one in enumerate(a_list(read_json(path), str(path)))
    ]
    counts: dict[str, int] = {}
    for _, name, _, _ in rows:
        if not is_candidate(name):
            counts[name] = counts.get(name, 0) + 1
    class_of = mapping.map_names(counts, where=path)
    stems = match_stems(images.values(), where=names)
    found: dict[str, list[Detections]] = {}
    for image, name, centre, score in rows:
        own, label = found.setdefault(stems[image], []), class_of.get(name, name)
        if label != IGNORED:
            own.append(Detections.of([centre], [score], label=label, source=path.name))
    return {image: Detections.concat(parts).with_candidates_as_figures() for image, parts in found.items()}


def _names(path: Path) -> tuple[dict[int, str], dict[int, str]]:
    """Return image id → file name and category id → class name of a COCO file."""
    document = read_json(path) if path.suffix.lower() == ".json" else None
    if not isinstance(document, dict) or "images" not in document:
        raise FormatError(
            "a COCO list of results has ids in place of names",
            where=path,
            mend="give the COCO file with these images as --truth, or results with image names",
        )
    tables = []
    for member, key in (("images", "file_name"), ("categories", "name")):
        where = f"{path}: {member}"
        entries = [a_mapping(entry, where) for entry in a_list(document.get(member), where)]
        tables.append(
            {an_integer(entry.get("id"), where): a_text(entry.get(key), where) for entry in entries}
        )
    return tables[0], tables[1]


def _row(
    values: Mapping[str, Any], where: str, images: Mapping[int, str], categories: Mapping[int, str]
) -> tuple[str, str, tuple[float, float], float]:
    image, category = (an_integer(values.get(name), where) for name in ("image_id", "category_id"))
    for number, known, what in ((image, images, "image"), (category, categories, "category")):
        if number not in known:
            raise FormatError(f"no {what} of id {number} in the ground truth", where=where)
    box, score = _box_and_score(values, where)
    return images[image], categories[category], (box[0] + box[2] / 2, box[1] + box[3] / 2), score


def _box_and_score(values: Mapping[str, Any], where: str) -> tuple[list[float], float]:
    """Return x, y, width and height, and the score."""
    box = [a_number(value, where) for value in a_list(values.get("bbox"), where)]
    if len(box) != 4 or not all(side >= 0 for side in box[2:]):
        raise FormatError("no box of x, y, width and height", where=where)
    score = a_number(values.get("score"), where)
    if not 0 <= score <= 1:
        raise FormatError(
            f"a score in [0, 1] expected, got {score:g}", where=where, mend="rescale the scores"
        )
    return box, score
