"""Networks that experiments share: what was trained on the same fields by the same recipe is trained once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mitoscope import __version__
from mitoscope.bundle import Bundle, load_bundle
from mitoscope.data.field import Field
from mitoscope.data.sources import AnnotatedSlides, OpenData, Provenance
from mitoscope.data.split import SplitConfig, split_by_case
from mitoscope.errors import ConfigError, TrainingDataError
from mitoscope.experiments.experiment import Result, Size, Workplace
from mitoscope.experiments.trained.declaration import Arm, Declaration
from mitoscope.experiments.trained.fields import mined_fields, part_of
from mitoscope.experiments.trained.judging import Bench, judge_cells, judge_points
from mitoscope.experiments.trained.slides import SlideSet, domain_of, open_fields
from mitoscope.experiments.trained.smoke import shrink
from mitoscope.experiments.trained.tiles import judge_tile_rates
from mitoscope.fsio import make_directory, waiting_lock
from mitoscope.image_names import stem
from mitoscope.infer import check_provider
from mitoscope.truth import MIDOGPP_SEED, MIDOGPP_STRATA, SlideTruth, folds_by_case

if TYPE_CHECKING:
    from mitoscope.models.family import Family
    from mitoscope.train.job import Job
    from mitoscope.train.recipe import DualRecipe, Recipe

NETWORKS: Final = "networks"
"""Folder of all trained networks, beside those of the experiments."""
BUNDLE: Final = "bundle"
_RUNS: Final = ("run", "detector")
"""Folders of a training beside its bundle: of one network, of the first of two stages."""
SEED: Final = 2018


@dataclass(frozen=True)
class TrainingTask:
    """What a network is trained on.

    Parameters
    ----------
    recipe : Recipe or DualRecipe
    fields : sequence of Field
    data : Path
        Folder that `source` lies in.
    source : AnnotatedSlides or OpenData
        What the bundle names as its training data.
    held_out : tuple of str, optional
        Cases that judge while training; by default as the recipe says.
    further : tuple of Provenance
        What the bundle names besides `source`.
    """

    recipe: Recipe | DualRecipe
    fields: Sequence[Field]
    data: Path
    source: AnnotatedSlides | OpenData
    held_out: tuple[str, ...] = ()
    further: tuple[Provenance, ...] = ()

    def key(self) -> str:
        """Return a hash of all that the weights depend on, this version of mitoscope included."""
        values = self.recipe.model_dump(mode="json")
        for part in (values, *(values.get(name, {}) for name in ("detector", "verifier"))):
            part.pop("bundle", None)
            for machine in ("device", "devices", "threads", "ahead", "tensorboard", "checkpoint_every"):
                part.get("run", {}).pop(machine, None)
        digest = hashlib.sha256(f"{__version__} {sorted(_flat(values))!r}".encode())
        digest.update("\n".join((*self.held_out, *(field.digest() for field in self.fields))).encode())
        return digest.hexdigest()


def learn(task: TrainingTask, networks: Path) -> Bundle:
    """Return the network of a task, trained unless it has been; a run that was stopped is gone on with.

    Raises
    ------
    TrainingDataError, NonFiniteError, IncompleteRunError
        If it cannot be trained.
    StoppedError
        If it is stopped.
    """
    folder = make_directory(networks / task.key()[:24])
    with waiting_lock(folder / ".lock"):  # another process may train the same one: it is trained once
        if not (folder / BUNDLE).exists():
            _train(task, folder)
    return load_bundle(folder / BUNDLE)


def _train(task: TrainingTask, folder: Path) -> None:
    from mitoscope.train.dual import write_dual
    from mitoscope.train.packing import pack, write
    from mitoscope.train.recipe import DualRecipe

    if not isinstance(task.recipe, DualRecipe):
        job, family = _fit(task, task.recipe, folder / "run")
        write(pack(family, job), job, folder / BUNDLE)
        return
    trained = [_fit(task, part, folder / name) for name, part in task.recipe.parts.items()]
    first, second = ((pack(family, job), job) for job, family in trained)
    write_dual(task.recipe, first, second, folder / BUNDLE)


def _fit(task: TrainingTask, recipe: Recipe, folder: Path) -> tuple[Job, Family]:
    from mitoscope.train.checkpoint import CHECKPOINT_NAME
    from mitoscope.train.job import setup
    from mitoscope.train.repeats import Member
    from mitoscope.train.run import main

    data: dict[str, Any] = {"source": task.source}
    if task.held_out:
        data["split"] = SplitConfig(held_out=task.held_out)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update=data)})
    member = Member("", recipe.run.seed, None)
    job = setup(recipe, task.fields, task.data, out=folder, member=member, further=task.further)
    state = main(job, resume=(folder / CHECKPOINT_NAME).exists())
    return job, state.judged


def _flat(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(values, dict):
        return [pair for key, value in values.items() for pair in _flat(value, f"{prefix}.{key}")]
    return [(prefix, repr(values))]


@dataclass(frozen=True, slots=True)
class ArmNetwork:
    """One of the networks of an arm: which seed, which fold."""

    name: str
    seed: int
    fold: int | None


def arm_networks(declaration: Declaration) -> tuple[ArmNetwork, ...]:
    """Return the networks of each arm: every fold with every seed."""
    seeds = range(SEED, SEED + declaration.repeats)
    if not declaration.folds:
        return tuple(ArmNetwork(f"seed-{seed}", seed, None) for seed in seeds)
    return tuple(
        ArmNetwork(f"fold-{fold + 1}.seed-{seed}", seed, fold)
        for fold in range(declaration.folds)
        for seed in seeds
    )


@dataclass(frozen=True, eq=False)
class NetworkBuilder:
    """Makes the networks of a declaration and tests them.

    Parameters
    ----------
    declaration : Declaration
    workplace : Workplace
    sets : mapping of str to SlideSet
    """

    declaration: Declaration
    workplace: Workplace
    sets: Mapping[str, SlideSet]

    def check_device(self) -> None:
        """Refuse a GPU that is not there, before anything is computed.

        Raises
        ------
        ConfigError
            If torch finds none, or ONNX Runtime, by which networks are tested, cannot use it.
        """
        from mitoscope.train.device import check_devices
        from mitoscope.train.recipe import RunRecipe

        check_devices(RunRecipe(device=self.workplace.device))
        check_provider(self.workplace.device)

    def arm(self, name: str) -> Arm:
        """Return an arm by its name."""
        return next(arm for arm in self.declaration.arms if arm.name == name)

    def recipe(self, arm: Arm, arm_network: ArmNetwork) -> Any:
        """Return the recipe of an arm, as a network of it is trained."""
        from mitoscope.train.recipe import read_recipe

        path = self.workplace.recipes / arm.recipe
        run = (
            f"run.seed={arm_network.seed}",
            f"run.device={self.workplace.device}",
            f"run.threads={self.workplace.threads}",
        )
        source = 'data.source={kind="annotated-slides", labels="labels.csv"}'
        changes = [source, *arm.changes, *run, "run.folds=0", "run.repeats=1"]
        if self.workplace.size is Size.SMOKE:
            changes += shrink(path, arm.changes)
        if arm.unlabelled:
            changes.append(f"data.sampling.mined={1 if self.workplace.size is Size.SMOKE else arm.mined}")
        return read_recipe(path, changes)

    def fingerprint(self, arm: Arm) -> str:
        """Return a hash of all settings of an arm, and of those that it begins with."""
        own = "" if not arm.trained else self.recipe(arm, ArmNetwork("", SEED, None)).fingerprint()
        before = "".join(self.fingerprint(self.arm(name)) for name in (arm.begin_with, arm.mined_by) if name)
        rule = f"{self.declaration.measure} {self.declaration.protocol} {self.declaration.folds}"
        text = f"{arm.fingerprint()} {own} {before} {rule}"
        return hashlib.sha256(text.encode()).hexdigest()

    def network(self, arm: Arm, arm_network: ArmNetwork) -> Bundle:
        """Return the network of an arm, trained if need be."""
        before = None if arm.begin_with is None else self.network(self.arm(arm.begin_with), arm_network)
        if not arm.trained:
            if before is None:  # refused when the file is read
                raise ConfigError("an arm that is not trained begins with none", where=arm.name)
            return before
        recipe = self.recipe(arm, arm_network)
        if before is not None:
            recipe = _begin(recipe, before.folder)
        first, *others = (self.sets[name] for name in (*arm.sets, *arm.unlabelled))
        fields, held_out = self.fields(arm, arm_network, mpp=_mpp(recipe))
        if arm.mined_by is not None:
            # The same cases judge as without mined slides, and no mined slide does.
            held_out = held_out or tuple(
                sorted({field.case for field in split_by_case(fields, recipe.data.split).validation})
            )
            detector = self.network(self.arm(arm.mined_by), arm_network)
            for name in arm.unlabelled:
                fields += mined_fields(detector, self.sets[name], self.workplace, mpp=_mpp(recipe))
        further = tuple(known for other in others for known in other.provenance())
        task = TrainingTask(recipe, fields, first.data, first.source, held_out, further)
        return learn(task, self.workplace.out / NETWORKS / self.workplace.size.value)

    def fields(self, arm: Arm, arm_network: ArmNetwork, *, mpp: float) -> tuple[list[Field], tuple[str, ...]]:
        """Return what an arm is trained on, and the cases that judge while it is.

        Raises
        ------
        TrainingDataError
            If nothing is left.
        """
        chosen = [
            (slide_set, slide)
            for slide_set in (self.sets[name] for name in arm.sets)
            for slide in slide_set.slides(testing=False)
            if (not arm.domains or domain_of(slide, slide_set.name) in arm.domains)
            and domain_of(slide, slide_set.name) not in arm.without
        ]
        if arm.cases:
            chosen = self._named(arm, chosen)
        if arm.cases_max:
            # One order for all arms: a smaller subset lies within every larger one.
            drawn = np.random.default_rng(0).permutation(sorted({slide.case for _, slide in chosen}))
            if arm.cases_max > len(drawn):
                raise TrainingDataError(f"a subset of {arm.cases_max} of {len(drawn)} cases", where=arm.name)
            kept = set(drawn[: arm.cases_max].tolist())
            chosen = [(slide_set, slide) for slide_set, slide in chosen if slide.case in kept]
        pictures = self._open_fields(arm)
        if not chosen and not pictures:
            raise TrainingDataError(
                "no slide to learn from", where=arm.name, mend="check its domains and sets"
            )
        whole = [slide_set.field(slide, mpp=mpp) for slide_set, slide in chosen]
        held_out = () if arm_network.fold is None else self._held_out(whole, arm_network.fold)
        if arm.fields:
            centres = [_centre(slide_set, slide, mpp) for slide_set, slide in chosen]
            pairs = zip(whole, centres, strict=True)
            return [part_of(field, hpf=arm.fields, centre=centre) for field, centre in pairs], held_out
        return [*whole, *pictures], held_out

    def _named(
        self, arm: Arm, chosen: list[tuple[SlideSet, SlideTruth]]
    ) -> list[tuple[SlideSet, SlideTruth]]:
        """Return the slides of the cases that an arm names."""
        known = {stem(slide.case) for _, slide in chosen}
        if lost := sorted(set(arm.cases) - known):
            raise TrainingDataError(f"no slide of the cases {', '.join(lost)}", where=arm.name)
        return [(slide_set, slide) for slide_set, slide in chosen if stem(slide.case) in arm.cases]

    def _open_fields(self, arm: Arm) -> list[Field]:
        """Return the openly licensed pictures of an arm, without cases of its test slides."""
        tests = [self.sets[name] for name in arm.tests]
        tested = [slide.name for slide_set in tests for slide in slide_set.slides(testing=True)]
        return [
            field
            for slide_set in (self.sets[name] for name in arm.sets)
            if slide_set.is_open
            for field in open_fields(slide_set.data, only=arm.domains, without=arm.without, tested=tested)
        ]

    def _held_out(self, fields: list[Any], fold: int) -> tuple[str, ...]:
        """Return the cases of a fold, as MIDOG++ parts them."""
        cases = {field.name: field.case for field in fields}
        figures = {field.name: len(field.figures) for field in fields}
        folds = self.declaration.folds
        strata = 1 if self.workplace.size is Size.SMOKE else MIDOGPP_STRATA
        fold_of = folds_by_case(cases, figures, folds=folds, strata=strata, seed=MIDOGPP_SEED)
        return tuple(sorted({cases[name] for name, own in fold_of.items() if own == fold}))

    def test(self, arm: Arm, bundle: Bundle) -> Result:
        """Test a network on the slides of an arm that only test."""
        own = self.declaration
        sets = [self.sets[name] for name in arm.tests or arm.sets]
        bench = Bench(
            own.protocol, self.workplace.device, self.workplace.threads, bundle.folder.parent / "detections"
        )
        match own.measure:
            case "points":
                points = judge_points(bundle, sets, bench, threshold=arm.threshold)
                return {**points, "bundle": bundle.fingerprint, "training": _error_while_training(bundle)}
            case "cells":
                scores = judge_cells(bundle, sets, threads=self.workplace.threads)
            case _:
                stated = {column.threshold for column in own.columns} - {None}
                thresholds = sorted(
                    {*arm.thresholds, *(threshold for threshold in stated if threshold is not None)}
                )
                scores = judge_tile_rates(bundle, sets, bench, thresholds=thresholds)
        return {"scores": scores, "bundle": bundle.fingerprint}


def _centre(slide_set: SlideSet, slide: SlideTruth, mpp: float) -> tuple[float, float] | None:
    """Return the centre of the area that an expert chose on a slide, in px of training."""
    if slide.name not in slide_set.areas_px0:
        return None
    x, y = slide_set.areas_px0[slide.name]
    scale = 1.0 if slide.mpp is None else slide.mpp.mean / mpp
    return x * scale, y * scale


def _begin(recipe: Any, folder: Path) -> Any:
    from mitoscope.train.recipe import DualRecipe

    if isinstance(recipe, DualRecipe):
        first = recipe.detector.model_copy(update={"start_from": str(folder)})
        return recipe.model_copy(update={"detector": first})
    return recipe.model_copy(update={"start_from": str(folder)})


def _mpp(recipe: Any) -> float:
    from mitoscope.train.recipe import DualRecipe

    part = recipe.detector if isinstance(recipe, DualRecipe) else recipe
    return float(part.model.mpp)


def _error_while_training(bundle: Bundle) -> list[list[float]]:
    """Return step and error of each validation of a network that finds points.

    Returns
    -------
    list of pairs
        The error is 1 − F1 on the cases that judge, at the threshold of greatest F1; validations without F1
        are left out.
    """
    from mitoscope.train.journal import read_metrics

    folder = bundle.folder.parent
    rows = next((found for name in _RUNS if (found := read_metrics(folder / name))), [])
    return [
        [float(step), round(1 - float(f1), 5)]
        for step, f1 in ((row["step"], row.get("f1")) for row in rows)
        if step is not None and f1 is not None
    ]
