"""Self-training (Akram et al. 2018): a detector mines unlabelled slides, and the next one learns from both.

*FG-Lab* are the labelled figures, *FG-WSI* the mined ones; they are mixed in a fixed ratio. Whether it helped
is judged on the validation slides of the version, against the supervised detector, which had as many steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mitoscope.cluster import Executor
from mitoscope.detections import Detections
from mitoscope.errors import TrainingDataError
from mitoscope.evaluate import PROTOCOLS, Comparison, Evaluation, evaluate
from mitoscope.exchange import detections_csv
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.loops.job_folder import JobFolder, tables_of_slides
from mitoscope.loops.material import Learner, Material, Say, TrainingSlides, say_nothing
from mitoscope.loops.mining import MiningConfig, MiningCount, mine_slide
from mitoscope.slide import fingerprint, open_slide
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells

LOOP = "self-training"
PROTOCOL = "mitoscope"


@dataclass(frozen=True, eq=False)
class SelfTrained:
    """What self-training came to.

    Parameters
    ----------
    supervised, final : Path
        Bundles before and after.
    count : MiningCount
        Over all unlabelled slides.
    before, after : Evaluation
        On the validation slides, each at its own threshold.
    gain : Comparison
        After minus before, with intervals by case.
    """

    supervised: Path
    final: Path
    count: MiningCount
    before: Evaluation
    after: Evaluation
    gain: Comparison


def self_train(
    material: Material,
    unlabelled: Mapping[str, Path],
    folder: Path,
    *,
    config: MiningConfig | None = None,
    say: Say = say_nothing,
    executor: Executor | None = None,
) -> SelfTrained:
    """Run the loop; after a stop the same call goes on.

    Parameters
    ----------
    material : Material
        A version with slides for training and for validation.
    unlabelled : mapping of str to Path
        Slide name → file; none of the version.
    folder : Path
        For both detectors, the mined figures and the state.
    config : MiningConfig, optional
    say : callable
        Told each step.
    executor : Executor, optional
        What mines the slides; by default this process, one after the other.

    Raises
    ------
    TrainingDataError
        If the version has no slides for training or validation, an unlabelled slide is one of its own, or
        nothing was mined.
    LedgerMismatchError
        If the folder was begun with another version, slides, recipe or setting; names it.
    """
    config = config or MiningConfig()
    training, validation = _sides(material, unlabelled)
    inputs = material.inputs("", config) | {
        "unlabelled slides": " ".join(
            f"{name} {fingerprint(path)}" for name, path in sorted(unlabelled.items())
        )
    }
    labelled = material.training_slides(training)
    with JobFolder.open(folder, LOOP, inputs) as job:
        say("supervised detector")
        learn = partial(material.learner.learn_detector, labelled, folder / "supervised")
        supervised = Path(job.step("supervised detector", lambda: str(learn())))
        tables = tables_of_slides(job.path, unlabelled)
        works = {
            f"mining {slide}": partial(
                _mine_slide,
                material.learner,
                supervised,
                unlabelled[slide],
                config=config,
                table=tables[slide],
            )
            for slide in sorted(unlabelled)
        }
        counts = job.steps(works, executor=executor, say=say).values()
        count = sum((MiningCount(**count_) for count_ in counts), MiningCount())
        mined = mined_slides(job.path, unlabelled)
        if not mined.truth.n_figures:
            what = f"nothing was mined: {count.candidates} candidates, none consistent"
            raise TrainingDataError(what, where=folder, mend="lower the threshold, or train the first longer")
        say(f"detector with {mined.truth.n_figures} mined figures")
        again = partial(material.learner.learn_with_mined, labelled, mined, folder / "final")
        final = Path(job.step("final detector", lambda: str(again())))
        say("validation")
        before, after = (_judge(material, validation, detector_) for detector_ in (supervised, final))
    return SelfTrained(supervised, final, count, before, after, gain=after.compare(before))


def _sides(material: Material, unlabelled: Mapping[str, Path]) -> tuple[list[str], list[str]]:
    slides = material.frozen.truth.slides
    training, validation = (
        [slide.name for slide in slides if slide.side == side] for side in ("train", "validation")
    )
    where = material.frozen.name
    if not training or not validation:
        what = f"{len(training)} slides for training and {len(validation)} for validation"
        raise TrainingDataError(what, where=where, mend="freeze it with a split")
    both = sorted(set(unlabelled) & set(material.slides))
    if both:
        raise TrainingDataError(f"the slide {both[0]!r} is labelled", where=where, mend="leave it out")
    return training, validation


def _mine_slide(
    learner: Learner, detector: Path, file: Path, *, config: MiningConfig, table: Path
) -> dict[str, Any]:
    with open_slide(file) as slide:
        mined = mine_slide(slide, learner.look(detector), config, source="mined")
    detections_csv.write(table, mined.figures)
    return asdict(mined.count)


def mined_slides(folder: Path, files: Mapping[str, Path]) -> TrainingSlides:
    """Return what was mined, to be learnt from; slides on which nothing was found are left out.

    Parameters
    ----------
    folder : Path
        Of the job, with a table of detections for each slide.
    files : mapping of str to Path
        Slide name → file.
    """
    slides, tables = [], tables_of_slides(folder, files)
    for name in sorted(files):
        found = detections_csv.read(tables[name])
        if len(found):
            cells = TrueCells.of(found.points_px0, MITOTIC_FIGURE.name)
            searched = ExaminedArea.whole("searched by a detector")
            slides.append(SlideTruth(name, cells, stated_examined=searched))
    truth = GroundTruth(tuple(slides), source="mined figures")
    return TrainingSlides(truth, {slide.name: files[slide.name] for slide in slides})


def _judge(material: Material, slides: Sequence[str], detector: Path) -> Evaluation:
    learner = material.learner
    out = detector.parent / "found"
    found = {name: learner.detect(detector, material.slide_file(name), out) for name in slides}
    judged = [slide for slide in material.frozen.truth.slides if slide.name in slides]
    return evaluate(
        {name: Detections.of(one.points_px0, one.score) for name, one in found.items()},
        material.frozen.truth.with_slides(judged),
        protocol=PROTOCOLS[PROTOCOL],
        threshold=learner.threshold(detector),
    )
