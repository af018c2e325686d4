"""Options that several verbs share, and how their text is read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, overload

import typer

from mitoscope.errors import ConfigError, RegionError
from mitoscope.geometry import BoxPx, Mpp

if TYPE_CHECKING:
    from mitoscope.exchange import BoxLayout
    from mitoscope.truth import Policy

SEED_MAX = 2**32 - 1
THREADS_MAX = 1024


def as_score(param: typer.CallbackParam, value: float | None) -> float | None:
    """Check an option that is a score, a probability or a share.

    Raises
    ------
    ConfigError
        If it lies outside [0, 1], or is no number.
    """
    if value is not None and not 0 <= value <= 1:
        what = f"{param.opts[0]} {value:g} is outside [0, 1]"
        raise ConfigError(what, mend=f"give {param.opts[0]} a value from 0 to 1")
    return value


def as_weight(param: typer.CallbackParam, value: float | None) -> float | None:
    """Check an option that is a weight.

    Raises
    ------
    ConfigError
        If it is negative, infinite or no number.
    """
    if value is not None and not 0 <= value < math.inf:
        what = f"{param.opts[0]} {value:g} is not a weight"
        raise ConfigError(what, mend=f"give {param.opts[0]} a finite value of at least 0")
    return value


def as_words(param: typer.CallbackParam, value: str | None) -> str | None:
    """Check an option that is words for others to read.

    Raises
    ------
    ConfigError
        If it is blank.
    """
    if value is not None and not value.strip():
        option = max(param.opts, key=len)
        raise ConfigError(f"{option} is empty", mend=f"give {option} a text, or leave it out")
    return value


def as_bundle_name(param: typer.CallbackParam, value: str | None) -> str | None:
    """Check an option that is the name of a bundle.

    Raises
    ------
    ConfigError
        If it is none.
    """
    if value is not None and re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", value) is None:
        raise ConfigError(
            f"{param.opts[0]} {value!r} is not the name of a bundle",
            mend="use up to 64 small letters, digits, '.', '_' and '-', e.g. own-detector",
        )
    return value


def as_distance(param: typer.CallbackParam, value: float | None) -> float | None:
    """Check an option that is a distance.

    Raises
    ------
    ConfigError
        If it is negative, infinite or no number.
    """
    if value is not None and not 0 <= value < math.inf:
        what = f"{param.opts[0]} {value:g} is not a distance"
        raise ConfigError(what, mend=f"give {param.opts[0]} a finite value of at least 0")
    return value


def as_resolution(value: float) -> float:
    """Check an option that is a resolution in µm/px.

    Raises
    ------
    ScaleError
        If it is implausible.
    """
    return Mpp.square(value).x


StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="The study, a file.")]
ReviewArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the review.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TruthOption = Annotated[
    str,
    typer.Option(
        "--truth", metavar="FILE|STUDY[@VERSION]", help="CSV image,x,y,label[,w,h], any format, or a study."
    ),
]
OptionalTruthOption = Annotated[
    str | None,
    typer.Option(
        "--truth", metavar="FILE|STUDY[@VERSION]", help="CSV image,x,y,label[,w,h], any format, or a study."
    ),
]
ProtocolOption = Annotated[
    str, typer.Option("--protocol", help="mitoscope, midog, cmc, tupac, amida, mitos2012 or iou@0.5.")
]
DomainsOption = Annotated[
    Path | None,
    typer.Option("--domains", metavar="CSV", help="Table of domains: datasets_xvalidation.csv of MIDOG++."),
]
DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of the data set.")]
NewBundleOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder of the new bundle; must not exist.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; may be repeated."),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="cpu or cuda, for training and detection; default: as in the recipe."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Count also slides whose colours cannot be those of H&E.")
]
SplitOption = Annotated[
    str | None,
    typer.Option("--split", metavar="SIDE", help="Evaluate one side of the split: train, val or test."),
]
ProviderOption = Annotated[str, typer.Option("--provider", help="Where networks run: cpu, cuda or openvino.")]
FormatsOption = Annotated[
    str | None, typer.Option("--formats", help="Any of csv,json,geojson,png,html,jpg; default: all.")
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", help="By default 8411, or the next that is free.", min=1, max=65535),
]
OnlySlidesOption = Annotated[
    list[str] | None, typer.Option("--slide", metavar="NAME", help="Only this slide; may be repeated.")
]
BinsOption = Annotated[
    int, typer.Option("--bins", min=1, max=1000, help="Rounds by score, high scores first.")
]
CountedAboveOption = Annotated[
    float, typer.Option("--threshold", metavar="T", callback=as_score, help="Scores above it count.")
]
CropOption = Annotated[int, typer.Option("--crop", metavar="PX", min=16, max=4096, help="Side of a crop.")]
CropMppOption = Annotated[
    float, typer.Option("--mpp", metavar="F", callback=as_resolution, help="Resolution of the crops, µm/px.")
]
FoldsOption = Annotated[int, typer.Option("--folds", min=2, max=1000, help="Folds of cases.")]
FoldSeedOption = Annotated[int, typer.Option("--seed", min=0, max=SEED_MAX, help="Seed of the folds.")]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local|HOST:PORT",
        help="Compute on Ray: the cores of this machine or a cluster.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the results.")]
MppOption = Annotated[
    float | None,
    typer.Option("--mpp", metavar="F", help="Resolution in µm/px of slides that do not state theirs."),
]
ScalesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mpp",
        metavar="F|NAME=F|CSV",
        help="µm/px of slides that do not state theirs: of all, of one by its name, or a table name,mpp.",
    ),
]
MppOverrideOption = Annotated[
    bool, typer.Option("--mpp-override", help="Let --mpp also replace the resolution that slides state.")
]
PolicyOption = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="P",
        help="Policy of agreement: settled (default), unanimous, consensus, majority, crowd, recorded.",
    ),
]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="A=B", help='Class of a name, e.g. "Mitose=mitotic figure"; repeatable.'),
]
BoxesOption = Annotated[
    str | None,
    typer.Option("--boxes", metavar="xywh|xyxy", help="Boxes: corner and size, or two corners (MIDOG)."),
]
ExaminedOption = Annotated[
    str | None,
    typer.Option("--examined", metavar="AREA", help="Examined area of each slide: whole, tumour or regions."),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold", metavar="T", callback=as_score, help="Scores above it count; by default the bundle's."
    ),
]


def parse_size(text: str) -> tuple[int, int]:
    """Read ``WxH`` in pixels.

    Raises
    ------
    ConfigError
        If the text is not two whole numbers joined by ``x``.
    """
    try:
        width, height = (int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise ConfigError(
            f"size {text!r} is not of the form WxH", mend="write e.g. --size 16384x12288"
        ) from None
    return width, height


def parse_roi(text: str | None) -> BoxPx | None:
    """Read ``X,Y,W,H`` in level-0 pixels.

    Raises
    ------
    RegionError
        If the text is not four whole numbers, or the region is empty or begins at a negative place.
    """
    if text is None:
        return None
    mend = "write --roi X,Y,W,H in level-0 pixels, e.g. --roi 1000,2000,4096,4096"
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise RegionError(f"region {text!r} is not four whole numbers", mend=mend) from None
    if width < 1 or height < 1 or x < 0 or y < 0:
        raise RegionError(f"region {text!r} is empty or begins outside the slide", mend=mend)
    return BoxPx(x, y, width, height)


def parse_doubt(text: str) -> tuple[float, float]:
    """Read ``LOW,HIGH``, two scores.

    Raises
    ------
    ConfigError
        If the text is not two numbers from 0 to 1, the lower one first.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low <= high <= 1:
        raise ConfigError(
            f"{text!r} is not two scores, the lower one first", mend="write e.g. --doubt 0.05,0.9"
        )
    return low, high


def parse_weights(option: str, text: str) -> tuple[float, ...]:
    """Read ``W,...``, weights above 0; the last may be 0.

    Raises
    ------
    ConfigError
        If the text is something else.
    """
    try:
        weights = tuple(float(part) for part in text.split(","))
    except ValueError:
        weights = ()
    if len(weights) < 2 or not all(0 < w <= 100 for w in weights[:-1]) or not 0 <= weights[-1] <= 100:
        raise ConfigError(
            f"{text!r} is not a list of weights up to 100", where=option, mend=f"write e.g. {option} 1,1,0.5"
        )
    return weights


@overload
def parse_choice(option: str, text: str, choices: Sequence[str]) -> str: ...
@overload
def parse_choice(option: str, text: str | None, choices: Sequence[str]) -> str | None: ...
def parse_choice(option: str, text: str | None, choices: Sequence[str]) -> str | None:
    """Read an option that takes one of a few words.

    Raises
    ------
    ConfigError
        Naming the words.
    """
    word = None if text is None else text.strip().casefold()
    if word is not None and word not in choices:
        *others, last = choices
        raise ConfigError(f"choose {', '.join(others)} or {last}, not {text!r}", where=option)
    return word


@overload
def parse_policy(text: str, *, option: str = ...) -> Policy: ...
@overload
def parse_policy(text: None, *, option: str = ...) -> None: ...
@overload
def parse_policy(text: str | None, *, option: str = ...) -> Policy | None: ...
def parse_policy(text: str | None, *, option: str = "--policy") -> Policy | None:
    """Read the policy that an option names.

    Raises
    ------
    ConfigError
        Naming what there is.
    """
    from mitoscope.truth import Policy

    return None if text is None else Policy(parse_choice(option, text, [str(policy) for policy in Policy]))


def parse_boxes(text: str | None) -> BoxLayout | None:
    """Read how a COCO file states its boxes.

    Raises
    ------
    ConfigError
        If it is neither xywh nor xyxy.
    """
    from mitoscope.exchange import BoxLayout

    return (
        None
        if text is None
        else BoxLayout(parse_choice("--boxes", text, [str(layout) for layout in BoxLayout]))
    )


def parse_mpp(value: float | None) -> Mpp | None:
    """Read a resolution in µm/px.

    Raises
    ------
    ScaleError
        If it is implausible.
    """
    return None if value is None else Mpp.square(value)


def refuse_threads_of(cluster: str | None, threads: int | None) -> None:
    """Refuse to count the cores of a cluster that has its own count.

    Raises
    ------
    ConfigError
        If so.
    """
    if cluster not in {None, "local"} and threads is not None:
        raise ConfigError(
            "the cluster itself states its number of cores",
            where="--threads",
            mend="leave it out, or set it on the nodes (ray start --num-cpus=…)",
        )
