"""One line for each slide, told from its manifest: the number on the screen is the number in the file."""

from __future__ import annotations

from typing import Any


def summarise(manifest: dict[str, Any]) -> str:
    """Return the result of one slide in one line."""
    search, count = manifest["search"], manifest["mitotic_count"]
    figures = search["mitotic_figures"]
    line = (
        f"{manifest['slide']['name']}: {figures} mitotic figure{'' if figures == 1 else 's'}"
        f" in {search['tissue_mm2']:.2f} mm² of tissue"
    )
    if count["refused"] is not None:
        line += f"; {count['refused']}"
    elif count["count"] is not None:
        line += f"; mitotic count {count['count']} in {count['area_mm2']:.2f} mm²"
        line += "" if count["fits"] else f", of which {count['covered_mm2']:.2f} mm² are tissue"
    if search["gaps_px0"]:
        line += f"; {search['gap_mm2']:.3g} mm² could not be read"
    if search["stage"] == "verified":
        spent = manifest["timings"]
        line += f"; searched in {spent['wall_s']:.1f} s, verified in {spent['verify_wall_s']:.1f} s"
    return line
