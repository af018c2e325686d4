"""``mitoscope.count(…)``: the mitotic count of whatever states figures, as a notebook asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

from mitoscope.config import parse_word
from mitoscope.count.grading import GradingRule
from mitoscope.count.mitotic_count import MitoticCount, mitotic_count
from mitoscope.count.slides import Refusal, count_slides
from mitoscope.count.window import FIELD_ASPECT, WindowShape
from mitoscope.detections import Detections
from mitoscope.exchange import BoxLayout
from mitoscope.geometry import Aspect, Mpp
from mitoscope.image_names import stem
from mitoscope.labels import LabelMapping
from mitoscope.notebook import ROWS_SHOWN, facts, table
from mitoscope.region import SlideRegions
from mitoscope.tissue import TissueMask
from mitoscope.truth import Policy
from mitoscope.wording import say_area, say_number

if TYPE_CHECKING:
    import pandas as pd


@runtime_checkable
class Searchable(Protocol):
    """A searched slide, such as `mitoscope.detect` returns: what was found, and where tissue is."""

    @property
    def detections(self) -> Detections:
        """All candidates."""
        ...

    @property
    def tissue(self) -> TissueMask:
        """Of the whole slide."""
        ...


class Counts(Sequence[tuple[str, MitoticCount]]):
    """The mitotic counts of slides, in their order: pairs of a name and its count; by a name its count.

    ``counts["slide"]`` and ``counts["slide.svs"]`` are the same one.

    Parameters
    ----------
    counts : iterable of tuple of str and MitoticCount
    """

    def __init__(self, counts: Iterable[tuple[str, MitoticCount]]) -> None:
        self._counts = tuple(counts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the slides."""
        return tuple(name for name, _ in self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __iter__(self) -> Iterator[tuple[str, MitoticCount]]:
        return iter(self._counts)

    @overload
    def __getitem__(self, key: int) -> tuple[str, MitoticCount]: ...
    @overload
    def __getitem__(self, key: slice) -> Counts: ...
    @overload
    def __getitem__(self, key: str) -> MitoticCount: ...
    def __getitem__(self, key: int | slice | str) -> tuple[str, MitoticCount] | Counts | MitoticCount:
        if isinstance(key, str):
            known = {stem(name): each for name, each in self._counts} | dict(self._counts)
            if key not in known:
                raise KeyError(f"{key!r} is none of {', '.join(self.names)}")
            return known[key]
        return Counts(self._counts[key]) if isinstance(key, slice) else self._counts[key]

    def to_pandas(self) -> pd.DataFrame:
        """Return a frame with a row a slide: count, interval, density, window in level-0 pixels.

        Raises
        ------
        ConfigError
            If pandas is not installed (``mitoscope[notebook]``).
        """
        from mitoscope.frames import library

        pandas = library("pandas", extra="notebook")
        frame: pd.DataFrame = pandas.DataFrame([{"slide": name, **_row(each)} for name, each in self])
        return frame

    def __repr__(self) -> str:
        return f"Counts({', '.join(f'{name}: {each.count}' for name, each in self)})"

    def _repr_html_(self) -> str:
        columns = ("slide", "count", "expected [95 %]", "mm²", "figures", "per mm²", "note")
        rows = [
            (
                name,
                each.count,
                _expected(each) or "–",
                each.covered_mm2,
                each.figures,
                None if each.whole is None else each.whole.per_mm2,
                each.note,
            )
            for name, each in self._counts[:ROWS_SHOWN]
        ]
        n = len(self)
        return table(f"Mitotic counts of {say_number(n, 'slide')}", columns, rows, total=n)


def count_html(counted: MitoticCount) -> str:
    """Return a count as HTML: the number, how sure it is, where it was counted, and its note."""
    box, whole, graded = counted.box_px0, counted.whole, counted.graded
    rows: list[tuple[str, object]] = [
        ("expected [95 %]", _expected(counted)),
        ("not known how sure", counted.no_interval or None),
        ("without selection bias", None if counted.corrected is None else f"{counted.corrected:.1f}"),
        (
            "window",
            f"{say_area(counted.area_mm2)} at {box.x:.0f}, {box.y:.0f} px, "
            f"{say_area(counted.covered_mm2)} covered",
        ),
        ("on the whole slide", say_number(counted.figures, "figure")),
        (
            "density",
            None
            if whole is None or whole.per_mm2 is None
            else f"{whole.per_mm2:.2f} per mm² of {whole.within}",
        ),
        ("threshold", counted.threshold),
        ("scheme", None if graded is None else graded.as_dict().get("name")),
    ]
    return facts(f"Mitotic count {counted.count}", rows, notes=(counted.note,))


def _expected(counted: MitoticCount) -> str | None:
    if counted.expected is None:
        return None
    ends = counted.expected.interval
    return f"{counted.expected.number:.1f} [{ends.low:.1f}, {ends.high:.1f}]"


def _row(counted: MitoticCount) -> dict[str, Any]:
    box, expected, whole = counted.box_px0, counted.expected, counted.whole
    return {
        "count": counted.count,
        "expected": None if expected is None else expected.number,
        "low": None if expected is None else expected.interval.low,
        "high": None if expected is None else expected.interval.high,
        "area_mm2": counted.area_mm2,
        "covered_mm2": counted.covered_mm2,
        "fits": counted.fits,
        "figures": counted.figures,
        "per_mm2": None if whole is None else whole.per_mm2,
        "x": box.x,
        "y": box.y,
        "width": box.width,
        "height": box.height,
        "threshold": counted.threshold,
        "note": counted.note,
    }


@overload
def count(
    reference: Detections | Searchable,
    *,
    area_mm2: float | None = ...,
    aspect: Aspect | str = ...,
    shape: WindowShape | str = ...,
    rule: GradingRule | None = ...,
    regions: SlideRegions | None = ...,
    threshold: float | None = ...,
    mpp: Mpp | float | None = ...,
    force: bool = ...,
) -> MitoticCount: ...
@overload
def count(
    reference: str | Path,
    *,
    area_mm2: float | None = ...,
    aspect: Aspect | str = ...,
    shape: WindowShape | str = ...,
    rule: GradingRule | None = ...,
    regions: SlideRegions | None = ...,
    threshold: float | None = ...,
    policy: Policy | str | None = ...,
    mapping: LabelMapping | Mapping[str, str] | None = ...,
    boxes: BoxLayout | str | None = ...,
    mpp: Mpp | float | None = ...,
    mpp_override: bool = ...,
    force: bool = ...,
    on_refusal: Callable[[str, Refusal], None] | None = ...,
) -> Counts: ...
def count(
    reference: str | Path | Detections | Searchable,
    *,
    area_mm2: float | None = None,
    aspect: Aspect | str = FIELD_ASPECT,
    shape: WindowShape | str = WindowShape.RECTANGLE,
    rule: GradingRule | None = None,
    regions: SlideRegions | None = None,
    threshold: float | None = None,
    policy: Policy | str | None = None,
    mapping: LabelMapping | Mapping[str, str] | None = None,
    boxes: BoxLayout | str | None = None,
    mpp: Mpp | float | None = None,
    mpp_override: bool = False,
    force: bool = False,
    on_refusal: Callable[[str, Refusal], None] | None = None,
) -> MitoticCount | Counts:
    """Count mitotic figures in the hot spot.

    Parameters
    ----------
    reference : str, Path, Detections or searched slide
        A file, a folder or a study, as `count_slides` reads them; or what was found on one slide.
    area_mm2 : float, optional
        Area of the window; by default that of the rule, else 2.37 mm².
    aspect : Aspect or str
        Width to height of the window, such as ``"4:3"``.
    shape : str
        ``rectangle`` or ``circle``.
    rule : GradingRule, optional
        A grading scheme, which decides the area.
    regions : SlideRegions, optional
        Tumour and exclusions of the one slide that is counted.
    threshold : float, optional
        Scores above it count; by default the threshold that the findings state.
    policy, mapping, boxes, mpp_override, on_refusal
        Of a file, as for `count_slides`. A mapping may be a dictionary: ``{"Mitose": "mitotic figure"}``.
    mpp : Mpp or float, optional
        Resolution in µm/px of slides that state none.
    force : bool
        Count also slides whose colours cannot be those of H&E.

    Returns
    -------
    Counts or MitoticCount
        Of a file the counts of its slides; of what was found on one slide its count.

    Raises
    ------
    FormatError, StoreError, TruthError, UnknownLabelError
        If a file cannot be read, or names no slide.
    ConfigError, RegionError, ScaleError, IncompleteRunError, ColourError
        As for `count_slides`.
    """
    scale = Mpp.of(mpp)
    wanted, form = Aspect.of(aspect), parse_word(WindowShape, shape, where="shape")
    if isinstance(reference, str | Path):
        return Counts(
            count_slides(
                reference,
                area_mm2=area_mm2,
                aspect=wanted,
                shape=form,
                rule=rule,
                regions=regions,
                threshold=threshold,
                policy=None if policy is None else parse_word(Policy, policy, where="policy"),
                mapping=LabelMapping.of(mapping),
                boxes=None if boxes is None else parse_word(BoxLayout, boxes, where="boxes"),
                mpp=scale,
                mpp_override=mpp_override,
                force=force,
                on_refusal=on_refusal,
            )
        )
    found, tissue = (
        (reference, None) if isinstance(reference, Detections) else (reference.detections, reference.tissue)
    )
    return mitotic_count(
        found,
        mpp=None if found.searched.mpp is not None and not mpp_override else scale,
        area_mm2=area_mm2,
        aspect=wanted,
        shape=form,
        rule=rule,
        threshold=threshold,
        tissue=tissue,
        regions=regions,
        force=force,
    )
