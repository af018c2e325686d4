"""What takes part in a comparison: a bundle, which is searched with, or results that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mitoscope.bundle import Bundle, load_bundle, shipped
from mitoscope.errors import BundleNotFoundError, ConfigError, FormatError
from mitoscope.evaluate import Cost
from mitoscope.exchange import is_result, read_manifests
from mitoscope.fsio import atomic_write, file_key, safe_name
from mitoscope.image_names import IMAGE_SUFFIXES, stem
from mitoscope.infer import DetectConfig, detect_slides, find_slides
from mitoscope.labels import is_figure
from mitoscope.report.outputs import write_outputs

MEMORY: Final = "peak-memory.txt"
"""Beside the results of a bundle: the most memory that the process held while it searched, in MB."""
_PROC: Final = Path("/proc/self")
_PARTS: Final = ("wall_s", "verify_wall_s", "subtype_wall_s")
Progress = Callable[[float, float], None]
"""Called with the slides that are searched, the one at work in part, and with all that will be."""


@dataclass(frozen=True)
class Contestant:
    """One side of a comparison.

    Parameters
    ----------
    name : str
        Under which it is compared.
    path : Path
        Its results: where they are, or where those of the bundle are kept.
    bundle : Bundle, optional
        What searches.
    failures : dict of str to str
        Slide → why it could not be searched.
    """

    name: str
    path: Path
    bundle: Bundle | None = None
    failures: dict[str, str] = field(default_factory=dict)


def find_contestants(
    given: Sequence[str | Path | Bundle] | Mapping[str, str | Path | Bundle], out: Path | None
) -> list[Contestant]:
    """Return what takes part.

    Parameters
    ----------
    given : sequence, or mapping of names, of str, Path or Bundle
        Name or folder of a bundle, a bundle, or results in any format; ``NAME=…`` gives a text a name.
    out : Path, optional
        Folder of the comparison, where bundles keep their results, each in a folder of its name.

    Raises
    ------
    ConfigError
        If there are fewer than two, two have one name, or a bundle has no place for its results.
    BundleError
        If it is neither a bundle nor there, or the bundle is damaged.
    """
    if len(given) < 2:
        raise ConfigError(
            f"{len(given)} to compare",
            mend="name two or more; mitoscope evaluate judges one",
        )
    found: dict[str, Contestant] = {}
    named = given.items() if isinstance(given, Mapping) else map(_split, given)
    for name, where in named:
        one = _contestant(name, where, out)
        other = found.setdefault(file_key(safe_name(one.name)), one)
        if other is not one:
            raise ConfigError(
                f"two are called {one.name!r}", mend=f"give them names: {one.name}-a={other.path} and so on"
            )
    return list(found.values())


def _contestant(name: str, where: str | Path | Bundle, out: Path | None) -> Contestant:
    if isinstance(where, Bundle):
        return _searching(name or where.manifest.name, where, out)
    path = Path(where)
    if path.exists() and str(where) not in shipped() and not _is_bundle(path):
        if path.is_dir() and not is_result(path):
            raise FormatError(
                "neither a bundle nor results in this folder",
                where=path,
                mend="give the folder of a bundle, or the --out folder of detect or results import",
            )
        if path.suffix.casefold() in IMAGE_SUFFIXES and path.is_file():
            raise ConfigError(
                "a slide is not a detector",
                where=path,
                mend=f"write --slides before each slide: --slides {path}",
            )
        own = path.absolute().name if path.is_dir() else path.stem
        return Contestant(name or own, path)
    try:
        bundle = load_bundle(where)
    except BundleNotFoundError as error:
        raise BundleNotFoundError(
            f"neither a bundle nor results: {str(where)!r}", where=error.where, mend=error.mend
        ) from None
    return _searching(name or (path.absolute().name if path.is_dir() else str(where)), bundle, out)


def _searching(name: str, bundle: Bundle, out: Path | None) -> Contestant:
    detects = bundle.manifest.detects
    if not is_figure(detects):
        raise ConfigError(
            f"it finds {detects!r}, not mitotic figures: nothing of it can be compared",
            where=name,
            mend="leave it out",
        )
    if out is None:
        raise ConfigError("a bundle needs a folder for its results", where=name, mend="give --out DIR")
    return Contestant(name, out / safe_name(name), bundle)


def _split(given: str | Path | Bundle) -> tuple[str, str | Path | Bundle]:
    """Return the name that is given, empty without one, and what is named."""
    if not isinstance(given, str) or "=" not in given or Path(given).exists():
        return "", given
    name, _, where = given.partition("=")
    if not name.strip() or not name.isprintable() or not where:
        raise ConfigError(f"{given!r} names nothing", mend="write NAME=BUNDLE or NAME=RESULTS")
    return name.strip(), where


def _is_bundle(path: Path) -> bool:
    return path.is_dir() and (path / "manifest.json").is_file() and not is_result(path)


def slides_by_stem(given: Sequence[Path | str]) -> dict[str, Path]:
    """Return slide files by the stem of their name: what files, folders and patterns mean for a search.

    Raises
    ------
    ConfigError
        If one is not there or not on this machine, a folder holds none, or two have one name.
    """
    found: dict[str, Path] = {}
    for slide in find_slides(given):
        if slide.address is not None:
            raise ConfigError(
                "only slides on this machine are compared",
                where=slide.shown,
                mend="search it with mitoscope detect first, and compare the results",
            )
        if not slide.path.exists():
            raise ConfigError("no such slide", where=slide.path, mend="give slides, or a folder of slides")
        other = found.setdefault(stem(slide.path.name), slide.path)
        if other != slide.path:
            raise ConfigError(f"{other} and {slide.path} have the same name", mend="rename one of them")
    return found


def search(
    one: Contestant, slides: Mapping[str, Path], config: DetectConfig, progress: Progress | None = None
) -> None:
    """Search slides with a contestant's bundle; what was searched before is not searched again.

    A slide that fails is kept with its reason; the others are searched.

    Raises
    ------
    ConfigError, BundleError
        If the bundle lacks what is asked for, or two slides have one name.
    OutputError
        If results cannot be written.
    StoppedError
        If the user stops it. The same call goes on.
    """
    if one.bundle is None or not slides:
        return

    finished = 0

    def report(done: float, total: float) -> None:
        if progress is not None:
            progress(finished + (done / total if total else 0.0), len(slides))

    is_new = _forget_peak()
    for outcome in detect_slides(list(slides.values()), one.bundle, one.path, config=config, progress=report):
        finished += 1
        if outcome.run is None:
            one.failures[stem(outcome.path.name)] = str(outcome.error)
            continue
        write_outputs(outcome.run, one.path, formats=("csv", "json"))
    peak, before = _peak_mb() if is_new else None, read_memory(one.path)
    if peak is not None:
        with suppress(OSError), atomic_write(one.path / MEMORY, replace=True) as stream:
            stream.write(f"{max(peak, before or 0.0):.0f}\n".encode("ascii"))


def _forget_peak() -> bool:
    """Let the system forget the most memory that this process has held (Linux); say whether it did."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_mb() -> float | None:
    """Return the most memory held since, in MB; None where the system does not say."""
    try:
        lines = (_PROC / "status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


def read_memory(folder: Path) -> float | None:
    """Return the peak memory that an earlier search left, in MB."""
    try:
        return float((folder / MEMORY).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Stated:
    """What the manifests of results say: who found them, above which threshold, where, at what cost."""

    detector: str | None
    version: str | None
    fingerprint: str | None
    licence: str | None
    threshold_source: str | None
    hashes: dict[str, str]
    cost: Cost | None


def read_stated(one: Contestant, images: Sequence[str] | None = None) -> Stated:
    """Read what a contestant's results state.

    Parameters
    ----------
    one : Contestant
    images : sequence of str, optional
        Of which the cost is summed; of all by default.

    Raises
    ------
    FormatError
        If a manifest is damaged, or they are of several detectors.
    """
    manifests = read_manifests(one.path)
    who = {
        tuple(_text(values, "detector", key) for key in ("name", "version", "fingerprint", "licence"))
        for values in manifests.values()
    }
    if len({(name, version, print_) for name, version, print_, _ in who}) > 1:
        raise FormatError(
            f"results of {len(who)} detectors in one folder",
            where=one.path,
            mend="keep the results of each detector in a separate folder",
        )
    detector, version, fingerprint, licence = next(iter(who), (None, None, None, None))
    hashes = {
        image: identity
        for image, values in manifests.items()
        if (identity := _text(values, "slide", "fingerprint")) is not None
    }
    counted = [values for image, values in manifests.items() if images is None or image in images]
    sources = dict.fromkeys(_text(values, "threshold", "source") for values in counted)
    source = "; ".join(text for text in sources if text) or None
    return Stated(detector, version, fingerprint, licence, source, hashes, _cost(one, counted))


def _cost(one: Contestant, manifests: Sequence[Mapping[str, Any]]) -> Cost | None:
    known = [
        (tissue, seconds, _number(values, "configuration", "threads"))
        for values in manifests
        if (tissue := _number(values, "search", "tissue_mm2")) is not None
        and (seconds := _seconds(values)) is not None
    ]
    if not known:
        return None
    threads = {given for _, _, given in known}
    given = threads.pop() if len(threads) == 1 else None
    return Cost(
        tissue_mm2=sum(tissue for tissue, _, _ in known),
        seconds=sum(seconds for _, seconds, _ in known),
        images=len(known),
        threads=None if given is None else int(given),
        searched_here=one.bundle is not None,
        peak_mb=None if one.bundle is None else read_memory(one.path),
    )


def _seconds(values: Mapping[str, Any]) -> float | None:
    parts = [_number(values, "timings", name) for name in _PARTS]
    return None if parts[0] is None else sum(part or 0.0 for part in parts)


def _within(values: Mapping[str, Any], part: str, key: str) -> Any:
    inside = values.get(part)
    return inside.get(key) if isinstance(inside, dict) else None


def _text(values: Mapping[str, Any], part: str, key: str) -> str | None:
    found = _within(values, part, key)
    return found if isinstance(found, str) and found else None


def _number(values: Mapping[str, Any], part: str, key: str) -> float | None:
    found = _within(values, part, key)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
