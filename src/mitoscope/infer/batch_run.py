"""Detection on several slides: a bad one is reported and the rest go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mitoscope.bundle import Bundle
from mitoscope.errors import ConfigError, MitoscopeError, StoppedError
from mitoscope.infer.cascade import Networks, open_networks
from mitoscope.infer.config import DetectConfig
from mitoscope.infer.detect import Progress, detect_slide
from mitoscope.infer.slide_run import SlideRun


@dataclass(frozen=True, eq=False)
class SlideOutcome:
    """What became of one slide: exactly one of `run` and `error` is given."""

    path: Path
    run: SlideRun | None = None
    error: MitoscopeError | None = None


def detect_slides(
    paths: Sequence[Path | str],
    bundle: Bundle,
    out_dir: Path,
    *,
    config: DetectConfig | None = None,
    progress: Progress | None = None,
) -> Iterator[SlideOutcome]:
    """Find the mitotic figures of several slides, one after the other.

    Parameters
    ----------
    paths : sequence of Path or str
        The slides; their results are named by their stems.
    bundle, out_dir, config, progress
        As for `detect_slide`; progress begins anew with each slide.

    Yields
    ------
    SlideOutcome
        In the order of the paths. A slide that fails does not keep the others from being done.

    Raises
    ------
    ConfigError, BundleError
        At once, if two slides have the same stem, the provider is not there, or the bundle
        lacks what is asked for.
    StoppedError
        If the user stops it.
    """
    slides = [Path(path) for path in paths]
    config = config or DetectConfig()
    _check_stems(slides)
    networks = open_networks(bundle, config)
    return _outcomes(slides, bundle, out_dir, config=config, progress=progress, networks=networks)


def _outcomes(
    slides: Sequence[Path],
    bundle: Bundle,
    out_dir: Path,
    *,
    config: DetectConfig,
    progress: Progress | None,
    networks: Networks,
) -> Iterator[SlideOutcome]:
    for path in slides:
        try:
            run = detect_slide(path, bundle, out_dir, config=config, progress=progress, networks=networks)
        except StoppedError:
            raise
        except MitoscopeError as error:
            yield SlideOutcome(path, error=error)
        else:
            yield SlideOutcome(path, run=run)


def _check_stems(paths: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in paths:
        # Without regard to case: some file systems have none.
        earlier = seen.setdefault(path.stem.casefold(), path)
        if earlier is not path:
            raise ConfigError(
                f"{earlier} and {path} would write the same results ({path.stem})",
                mend="run them with different --out",
            )
