"""The model card: what a user must know before using the weights."""

from __future__ import annotations

from typing import Final

from mitoscope.bundle import ModelDescription
from mitoscope.train.recipe import Recipe

_CARD: Final = """# {name} {version}

{summary}. It finds mitotic figures in H&E slides at {mpp} µm/px and gives points with scores.

**For research use only.** Not a medical device; not validated for diagnosis. A pathologist must check every
count.

## Intended use
Candidates for a mitotic count and for labelling in human and veterinary H&E slides scanned at 40x
({mpp_min} to {mpp_max} µm/px; other resolutions are resampled or refused). The threshold
{threshold:.2f} is the operating point for the protocol {protocol}.

## Network
{architecture}: widths {widths}, stride {stride} px, receptive field within {halo} px of a point. Windows are
uint8 RGB; normalisation, local maxima and refinement are inside the graph. Trained from random weights for
{steps} steps of {batch} windows of {window} px; hard-negative mining after {mining} of the run.

## Training data
| Data | Licence | Attribution |
|---|---|---|
{sources}

BreCaHAD was changed: case 12 was reduced to 70 %, pictures were augmented. Its licence (CC BY 4.0) asks
for the citation above. MiDeSeC was never trained on.

## Results
Intervals are 95 %, by drawing images with replacement. A threshold chosen on a set flatters the result there.

| Data | Protocol | Score | Value | 95 % interval | Images |
|---|---|---|---|---|---|
{metrics}

## Limits
- Trained on few laboratories; other stains, scanners and species may give many more false positives. Pyknotic
  and apoptotic nuclei, dark lymphocytes and ink are the usual ones.
- The threshold does not carry over exactly from laboratory to laboratory (compare the sets above). Check it
  on figures of your own before counts are compared.
- Fields without figures were looked through once, by eye; a few figures may remain unlabelled in them.
- Very large or atypical figures (over about 60 px) and early prophase are missed more often.
- One slide scanned twice may be counted differently.
"""


def write_card(description: ModelDescription, recipe: Recipe) -> str:
    """Return the model card as Markdown."""
    batch = recipe.batch
    return _CARD.format(
        name=description.name,
        version=description.version,
        summary=description.summary,
        mpp=description.mpp,
        mpp_min=description.mpp_min,
        mpp_max=description.mpp_max,
        threshold=description.default_threshold,
        protocol=description.default_protocol,
        architecture=description.architecture,
        widths=", ".join(str(width) for width in recipe.model.widths),
        stride=description.stride_px,
        halo=description.halo_px,
        steps=recipe.optimiser.steps,
        batch=batch.foreground + batch.bg_hard + batch.bg_random,
        window=batch.window_px,
        mining=", ".join(f"{share:.0%}" for share in recipe.mining.at) or "0 %",
        sources="\n".join(
            f"| {s.name} | {s.licence} | {_cell(s.attribution)} |" for s in description.training
        ),
        metrics="\n".join(
            f"| {m.dataset} | {m.protocol} | {m.name} | {m.value:.3f} | {m.ci_low:.3f} to {m.ci_high:.3f} "
            f"| {m.images} |"
            for m in description.metrics
        ),
    )


def _cell(text: str) -> str:
    return text.replace(" | ", "; ").replace("|", "/")
