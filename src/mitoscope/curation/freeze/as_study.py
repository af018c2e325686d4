"""A frozen version as a study of its own: what training, evaluation and every writer of a format take."""

from __future__ import annotations

from mitoscope.curation.freeze.freezing import Frozen
from mitoscope.labels import LabelSet
from mitoscope.store.builder import StudyBuilder
from mitoscope.store.encoding import vertices_from
from mitoscope.store.kinds import RaterKind, RoundKind
from mitoscope.store.records import Rater, Round, SlideRecord, Study
from mitoscope.store.store import Store


def frozen_study(store: Store, frozen: Frozen) -> Study:
    """Return the cells of a version as they were frozen, each with one label of a rater named as the version.

    Parameters
    ----------
    store : Store
        Which holds what is known of slides and labels.
    frozen : Frozen
        As ``read_frozen`` returns it.
    """
    slides: dict[str, SlideRecord] = {slide.name: slide for slide in store.slides().values()}
    known = tuple(store.labels().values())
    builder = StudyBuilder(LabelSet(tuple(one for one in known if one.name in frozen.manifest.labels)))
    rows = {one.name: builder.slide(slides[one.name]) for one in frozen.manifest.slides}
    labels = {one.name: builder.label(one) for one in known if one.name in frozen.manifest.labels}
    rater = builder.rater(Rater(frozen.manifest.name, RaterKind.CONSENSUS))
    round_ = builder.round(Round(f"frozen: {frozen.manifest.name}", RoundKind.CONSENSUS))
    for cell in frozen.cells:
        vertices = None if cell.vertices_px0 is None else vertices_from(cell.vertices_px0)
        row = builder.cell(
            rows[cell.slide],
            cell.bounds_px0,
            shape=cell.shape,
            vertices_px0=vertices,
            z=cell.z,
            external_id=str(cell.cell_id),
        )
        builder.event(row, rater, labels[cell.label], round_=round_)
    return builder.build()
