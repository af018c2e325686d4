"""What a count is over and how sure it is, as commands take and print it: schemes, fields, intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.errors import ConfigError
from mitoscope.wording import say_area

if TYPE_CHECKING:
    from mitoscope.count import Graded, GradingRule, MicroscopeField, MitoticCount

SchemeOption = Annotated[
    str | None,
    typer.Option(
        "--scheme", metavar="NAME", help="Grading scheme: an aid, not a grade; count --schemes lists them."
    ),
]
FieldNumberOption = Annotated[
    float | None,
    typer.Option("--field-number", metavar="FN", help="Field number of the eyepiece: count over 10 fields."),
]
ObjectiveOption = Annotated[
    float | None,
    typer.Option("--objective", metavar="X", help="Magnification of the objective; default 40."),
]
FieldDiameterOption = Annotated[
    float | None,
    typer.Option("--field-diameter", metavar="MM", help="Diameter of a field, in place of its number."),
]
_OBJECTIVE = 40.0


def parse_field(
    field_number: float | None, objective: float | None, diameter_mm: float | None
) -> MicroscopeField | None:
    """Return the field of a microscope; None where none is given.

    Raises
    ------
    ConfigError
        If both ways of stating it are used, or an objective without a field number.
    """
    from mitoscope.count import MicroscopeField

    if diameter_mm is not None:
        if field_number is not None or objective is not None:
            raise ConfigError(
                "the field size is stated twice", mend="give --field-diameter, or --field-number"
            )
        return MicroscopeField(diameter_mm)
    if field_number is None:
        if objective is not None:
            what = "an objective alone does not give the field size"
            raise ConfigError(what, where="--objective", mend="give --field-number too")
        return None
    return MicroscopeField.of(field_number, _OBJECTIVE if objective is None else objective)


def parse_counting(
    area_mm2: float | None, scheme: str | None, field: MicroscopeField | None
) -> tuple[float | None, GradingRule | None]:
    """Return the area that is asked for and the grading rule; ten fields where a field is all that is given.

    Raises
    ------
    ConfigError
        If the scheme is not known, does not go with the field, or area and field are both given.
    """
    from mitoscope.count import HPF_FIELDS, find_scheme

    if area_mm2 is not None and field is not None:
        raise ConfigError(
            "an area and a field size are both given", where="--area", mend="give one of the two"
        )
    if scheme is not None:
        return area_mm2, find_scheme(scheme).rule(field)
    return (area_mm2 if field is None else HPF_FIELDS * field.area_mm2), None


def list_schemes(wanted: bool) -> None:
    """Print what each grading scheme counts over and its bands, with its source."""
    if not wanted:
        return
    from mitoscope.count import AID, schemes

    for scheme in schemes().values():
        typer.echo(f"{scheme.name}: {scheme.title}")
        for over in scheme.over:
            bands = "; ".join(f"{band.text}: {band.name}" for band in over.bands)
            typer.echo(f"  over {over.text}: {bands}")
        typer.echo(f"  {scheme.note}\n  Source: {scheme.source}. Read in: {scheme.read}")
    typer.echo(AID)
    raise typer.Exit


def describe_certainty(counted: MitoticCount) -> list[str]:
    """Say in lines how sure a count is, how dense figures are on the whole, and what a scheme makes of it."""
    lines = []
    expected, whole, graded = counted.expected, counted.whole, counted.graded
    if expected is None:
        lines.append(f"no interval: {counted.no_interval}")
    else:
        joint, detector = expected.interval, expected.detector
        lines.append(
            f"expected {expected.number:.1f} figures, 95 % interval {joint.low:.1f} to {joint.high:.1f}"
            f" (of the detector alone: {detector.low:.0f} to {detector.high:.0f})"
        )
    if counted.corrected is not None:
        lines.append(f"corrected for choosing the fullest window: {counted.corrected:.1f}")
    if whole is not None and whole.per_mm2 is not None:
        line = f"{whole.per_mm2:.3g} per mm² over {say_area(whole.area_mm2 or 0.0)} of {whole.within}"
        if whole.interval is not None:
            ends = whole.interval
            line += f"; expected {whole.expected_per_mm2:.3g}, 95 % {ends.low:.3g} to {ends.high:.3g}"
        lines.append(line)
    return lines if graded is None else [*lines, _grading(graded)]


def _grading(graded: Graded) -> str:
    from mitoscope.count import AID

    said = graded.band or f"no band ({graded.reason})"
    if graded.grades is not None:
        shares = "; ".join(f"{name} {share:.0%}" for name, share in graded.grades.items())
        said += f"; probability by the detector: {shares}"
    elif graded.band:
        said += f"; no probabilities: {graded.reason}"
    return f"{graded.rule.scheme.name}: {said}. {AID}"
