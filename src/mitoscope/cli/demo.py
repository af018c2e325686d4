"""``mitoscope demo`` and ``synth``: a synthetic H&E slide with known truth, and the whole way to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import SEED_MAX, JsonOption, parse_size
from mitoscope.cli.terminal import say, summarise
from mitoscope.progress import progress
from mitoscope.wording import say_area, say_number

if TYPE_CHECKING:
    from mitoscope.slide.synthetic import SyntheticSlideConfig
    from mitoscope.truth import GroundTruth


SEED = 7
WIDTH_PX, HEIGHT_PX = 14_336, 10_752
"""Size of the demo's slide in level-0 pixels: room for ten high-power fields, about a minute on two cores."""


def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the results; the slide goes to DIR/slide.")
    ] = Path("demo"),
    as_json: JsonOption = False,
) -> None:
    """Make a synthetic slide, find and count its mitotic figures, report, and compare with the truth."""
    from mitoscope.bundle import load_bundle
    from mitoscope.evaluate import PROTOCOLS, evaluate
    from mitoscope.exchange import read_manifest
    from mitoscope.infer import detect_slide
    from mitoscope.report import write_outputs

    slide, truth = _slide(out / "slide")
    with progress(
        "searching for mitotic figures", unit="mm² of tissue", decimals=1, verb="searched"
    ) as report:
        run = detect_slide(slide, load_bundle(), out, progress=report)
    written = write_outputs(run, out)
    line = summarise(read_manifest(written[-1]))
    judged = evaluate(
        {slide.name: run.detections},
        truth,
        protocol=PROTOCOLS["tupac"],
        threshold=run.threshold,
        mpp=run.slide.mpp,
    ).score
    page = out / f"{slide.stem}.html"
    against = f"against the true figures: {judged.tp} found, {judged.fn} missed, {judged.fp} false"
    values = {"slide": str(slide), "manifest": str(written[-1]), "report": str(page), **judged.as_dict()}
    say(values, f"{line}\n{against}\nthe report: {page}", as_json)


def _slide(folder: Path) -> tuple[Path, GroundTruth]:
    """Write the slide, unless an earlier demo has; return its path and its truth."""
    from mitoscope.exchange import read_ground_truth
    from mitoscope.fsio import make_directory
    from mitoscope.slide.synthetic import SyntheticSlideConfig, truth_paths, write_slide

    slide = make_directory(folder) / "synthetic.tiff"
    table = truth_paths(slide)[0]
    if not (slide.exists() and table.exists()):
        config = SyntheticSlideConfig.of(width=WIDTH_PX, height=HEIGHT_PX, seed=SEED)
        with progress("painting a synthetic slide", unit="tiles") as report:
            write_slide(slide, config, progress=report)
    return slide, read_ground_truth(table, examined="whole")


def synth(
    out: Annotated[
        Path, typer.Option("--out", metavar="SLIDE.tiff", help="File to write; truth files go beside it.")
    ],
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="Size in px, up to 100000x100000.")
    ] = "16384x12288",
    mpp: Annotated[float, typer.Option("--mpp", help="Resolution in µm/px.")] = 0.25,
    seed: Annotated[int, typer.Option("--seed", min=0, max=SEED_MAX, help="Same seed, same slide.")] = 0,
    tissue: Annotated[float, typer.Option("--tissue", help="Part of the slide that is tissue.")] = 0.45,
    density: Annotated[float, typer.Option("--density", help="Mitotic figures per mm² of tissue.")] = 3.0,
    hot_spot: Annotated[
        float, typer.Option("--hot-spot", help="Mitotic figures per mm² in the hot spot.")
    ] = 18.0,
    look_alikes: Annotated[
        float, typer.Option("--look-alikes", help="Look-alikes per mm² of tissue.")
    ] = 10.0,
    domain: Annotated[str, typer.Option("--domain", help="Stain domain.")] = "reference",
    as_json: JsonOption = False,
) -> None:
    """Write a synthetic H&E slide (pyramidal tiled TIFF) with its truth as CSV and JSON."""
    from mitoscope.slide.synthetic import SyntheticSlideConfig, domain_named, truth_paths, write_slide

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
    with progress(f"writing {out.name}", unit="tiles") as report:
        truth = write_slide(out, config, progress=report)
    figures = len(truth.points())
    line = f"{out}: {width} × {height} px, {say_number(figures, 'mitotic figure')}"
    values = {"slide": str(out), "truth": [str(path) for path in truth_paths(out)], "figures": figures}
    say({**values, "size_px0": [width, height]}, line, as_json)
    if figures == 0 and max(density, hot_spot) > 0:
        typer.echo(f"warning: {_why_empty(config, truth.tumour_area_mm2)}", err=True)


def _why_empty(config: SyntheticSlideConfig, tumour_area_mm2: float) -> str:
    """Return why a slide on which figures were wanted shows none, and what to do."""
    if config.tissue_fraction == 0:
        return "a slide without tissue shows no mitotic figures; give a larger --tissue"
    return (
        f"no mitotic figure on {say_area(tumour_area_mm2)} of carcinoma, so detection and evaluation have "
        "nothing to find; give a larger --size, --tissue, --density or --hot-spot, or another --seed"
    )
