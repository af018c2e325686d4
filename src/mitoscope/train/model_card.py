"""The model card: what a user must know before using the weights."""

from __future__ import annotations

from typing import Final

from mitoscope.bundle import ModelDescription, Subtype, Verifier
from mitoscope.data.sources import OpenData
from mitoscope.train.recipe import Recipe

_CARD: Final = """# {name} {version}

{summary}. {finds} at {mpp} µm/px in H&E slides.

**For research use only.** Not a medical device; not validated for diagnosis. A pathologist must check every
count.

## Intended use
Candidates for a mitotic count and for labelling in human and veterinary H&E slides scanned at 40x
({mpp_min} to {mpp_max} µm/px; other resolutions are resampled or refused). Operating points:
{points}; detection takes `{default_point}`.

## Network
{network}

## Training data
| Data | Licence | Attribution |
|---|---|---|
{sources}
{note}
## Results
Intervals are 95 %, by drawing cases with replacement. A threshold chosen on a set flatters the result there.

| Data | Protocol | Score | Value | 95 % interval | Cases |
|---|---|---|---|---|---|
{metrics}

## Limits
- Other stains, scanners and species than those of the training data may give many more false positives.
  Pyknotic and apoptotic nuclei, dark lymphocytes and ink are the usual ones.
- The threshold does not carry over exactly from laboratory to laboratory. Check it on figures of your
  own before counts are compared.
- Very large or atypical figures and early prophase are missed more often.
- One slide scanned twice may be counted differently.
"""

_OPEN_DATA_NOTE: Final = """
BreCaHAD was changed: case 12 was reduced to 70 %, pictures were augmented. Its licence (CC BY 4.0) asks
for the citation above. MiDeSeC was never trained on. Fields without figures were looked through once, by
eye; a few figures may remain unlabelled in them. What detectors took for figures there was sorted by an
engineer by eye, not by a pathologist.
"""

_KINDS_TITLE: Final = "## Kinds of figures"
_KINDS: Final = """{title}
{note} Every mitotic figure is looked at in a crop of {crop} px at {mpp} µm/px; both kinds are
counted as mitotic figures.

| Data | Score | Value | 95 % interval | Cases |
|---|---|---|---|---|
{metrics}
"""

_TRAINED: Final = """\
{architecture}: {settings}. Windows are uint8 RGB of {window} px; normalisation and all that follows
the network are inside the graph. {start} for {steps} steps of {batch} windows, drawn by the scheme
`{sampling}`{mining}."""

_JOINED: Final = """\
Two stages: {summary}. The first is a {architecture}; what it gives more than
{floor:g} is looked at again in crops of {crop} px{looks}, and {rule} gives the score.
{calibration}"""


def write_card(description: ModelDescription, recipe: Recipe) -> str:
    """Return the model card of a trained network as Markdown."""
    sampling, mining = recipe.data.sampling, recipe.mining
    shares = ", ".join(f"{share:.0%}" for share in mining.at)
    network = _TRAINED.format(
        architecture=description.architecture,
        settings=_network(recipe),
        window=sampling.window_px,
        start=_start(recipe),
        steps=recipe.steps,
        batch=sampling.batch,
        sampling=sampling.kind,
        mining=f"; hard-negative mining after {shares} of the run" if shares else "",
    )
    return _write(description, network, is_open_data=isinstance(recipe.data.source, OpenData))


def write_joined_card(description: ModelDescription, *, is_open_data: bool) -> str:
    """Return the model card of two networks that were joined; open data are those that the project ships."""
    stage, scores = description.verifier, description.calibration
    assert stage is not None  # there are two
    network = _JOINED.format(
        summary=description.summary.rstrip("."),
        architecture=description.architecture,
        floor=stage.proposal_threshold,
        crop=" and ".join(f"{side}" for side in dict.fromkeys(stage.sides_px)),
        looks=_looks(stage),
        rule="the second stage" if stage.blend is None else "a weighted mean of the log-odds of both stages",
        calibration="Scores are as the second stage gives them."
        if scores is None
        else f"Scores are probabilities, calibrated on {scores.fitted_on} (a line over their logit).",
    )
    return _write(description, network, is_open_data=is_open_data)


def with_kinds(card: str, subtype: Subtype | None) -> str:
    """Return a card with what its bundle says of kinds of figures, in place of what it said before."""
    whole = card.partition(_KINDS_TITLE)[0].rstrip() + "\n"
    if subtype is None:
        return whole
    metrics = (
        f"| {m.dataset} | {m.name} | {m.value:.3f} | {m.ci_low:.3f} to {m.ci_high:.3f} | {m.images} |"
        for m in subtype.metrics
    )
    return f"{whole}\n" + _KINDS.format(
        title=_KINDS_TITLE,
        note=subtype.describe(),
        crop=subtype.crop_px,
        mpp=subtype.mpp,
        metrics="\n".join(metrics),
    )


def _looks(stage: Verifier) -> str:
    """Return how often a candidate is looked at."""
    if stage.looks == 1:
        return ""
    networks = f"{len(stage.files)} networks, " if len(stage.files) > 1 else ""
    ways = networks + ("four mirror images" if stage.flips else "one view") + " of each"
    if stage.doubt is None:
        return f" ({ways})"
    return f" (once; where that scores {stage.doubt[0]:g} to {stage.doubt[1]:g}: {ways})"


def _write(description: ModelDescription, network: str, *, is_open_data: bool) -> str:
    card = _CARD.format(
        name=description.name,
        version=description.version,
        summary=description.summary.rstrip("."),
        finds="It finds mitotic figures" if description.kind == "points" else "It scores crops or tiles",
        mpp=description.mpp,
        mpp_min=description.mpp_min,
        mpp_max=description.mpp_max,
        points="; ".join(
            f"`{point.name}`, scores above {point.threshold:.3f}: {point.criterion} on {point.chosen_on}, "
            f"protocol {point.protocol}"
            for point in description.points
        ),
        default_point=description.default_point,
        network=network,
        sources="\n".join(
            f"| {s.name} | {s.licence} | {_cell(s.attribution)} |" for s in description.training
        ),
        note=_OPEN_DATA_NOTE if is_open_data else "",
        metrics="\n".join(
            f"| {m.dataset} | {m.protocol} | {m.name} | {m.value:.3f} | {m.ci_low:.3f} to {m.ci_high:.3f} "
            f"| {m.images} |"
            for m in description.metrics
        ),
    )
    return with_kinds(card, description.subtype)


def _network(recipe: Recipe) -> str:
    """Return the settings of the network as a sentence."""
    values = recipe.model.model_dump(exclude={"architecture", "mpp"})
    return ", ".join(f"{key.replace('_', ' ')} {_setting(value)}" for key, value in values.items())


def _start(recipe: Recipe) -> str:
    if recipe.start_from:
        return f"Begun with {recipe.start_from}"
    weights = getattr(recipe.model, "weights", "random")
    return f"Begun with the weights {weights}" if weights != "random" else "Trained from random weights"


def _setting(value: object) -> str:
    return " / ".join(str(part) for part in value) if isinstance(value, tuple) else str(value)


def _cell(text: str) -> str:
    return text.replace(" | ", "; ").replace("|", "/")
