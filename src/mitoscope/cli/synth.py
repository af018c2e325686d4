"""``mitoscope synth``: a synthetic H&E slide with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mitoscope.cli.options import parse_size
from mitoscope.cli.progress import progress


def synth(
    out: Annotated[
        Path, typer.Option("--out", metavar="SLIDE.tiff", help="File to write; truth files go beside it.")
    ],
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="Size in px, up to 100000x100000.")
    ] = "16384x12288",
    mpp: Annotated[float, typer.Option("--mpp", help="Resolution in µm/px.")] = 0.25,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same slide.")] = 0,
    tissue: Annotated[float, typer.Option("--tissue", help="Part of the slide that is tissue.")] = 0.45,
    density: Annotated[float, typer.Option("--density", help="Mitotic figures per mm² of tissue.")] = 3.0,
    hot_spot: Annotated[
        float, typer.Option("--hot-spot", help="Mitotic figures per mm² in the hot spot.")
    ] = 18.0,
    look_alikes: Annotated[
        float, typer.Option("--look-alikes", help="Look-alikes per mm² of tissue.")
    ] = 10.0,
    domain: Annotated[str, typer.Option("--domain", help="Stain domain.")] = "reference",
) -> None:
    """Write a synthetic H&E slide (pyramidal tiled TIFF) with its truth as CSV and JSON."""
    from mitoscope.slide.synthetic import SyntheticSlideConfig, domain_named, write_slide

    width, height = parse_size(size)
    config = SyntheticSlideConfig.of(
        width=width,
        height=height,
        mpp=mpp,
        seed=seed,
        tissue_fraction=tissue,
        mitoses_per_mm2=density,
        hot_spot_mitoses_per_mm2=hot_spot,
        look_alikes_per_mm2=look_alikes,
        domain=domain_named(domain),
    )
    with progress(f"writing {out.name}", unit="tiles", decimals=0) as report:
        truth = write_slide(out, config, progress=report)
    typer.echo(f"{out}: {width} × {height} px, {len(truth.points())} mitotic figures")
