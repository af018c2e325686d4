"""Numbers that nobody means, in every numeric option of every command: one run of all of them.

Run as a script in a process of its own: ``python odd_numbers.py FOLDER ONE_IN`` writes one line of JSON for
each triple of command, option and number, or for one in so many, to standard output.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from hostile import outcome  # type: ignore[import-not-found]  # beside this script

from mitoscope.cli.app import app

NUMBERS = (
    "1e308", "-1e308", "nan", "inf", "-inf", "0", "-0.0", "1e-320", "-1", str(2**31), str(2**63), str(10**30),
    "", "1,5",
)  # fmt: skip


_CHOICES = [("curate select", option) for option in ("--top", "--share-below", "--tile", "--seed")]
"""Options that say something of one way to choose; others are a way of their own."""


def numeric_options() -> Iterator[tuple[str, str]]:
    """Yield command and option for each option that takes a number."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for name, one in getattr(command, "commands", {}).items():
            yield from walk(one, (*words, name))
        for option in command.params if words else ():
            is_number = option.param_type_name == "option" and str(option.bare_type()) in ("int", "float")
            if is_number and not option.count:  # -v is counted, not given
                yield " ".join(words), option.opts[-1]

    yield from walk(typer.main.get_command(app), ())


def calls(good: Path, out: Path) -> dict[str, list[str]]:
    """Return arguments of each command that has numeric options, with which it would do something short."""
    csv, slide, study, missing = f"{good}/truth.csv", f"{good}/slide.tiff", f"{out}/copy.mito", f"{good}/none"
    found, scores, points = (f"{good}/{name}" for name in ("found.csv", "scores.csv", "points.npz"))
    results = f"{out}/results"
    training = ["--version", "MEL", "--slides", str(good), "--detector", missing, "--out", results]
    return {
        "detect": [slide, "--roi", "0,0,64,64", "--out", results],
        "count": [f"{good}/results", "--area", "0.01"],
        "evaluate": ["--pred", found, "--truth", csv, "--mpp", "0.25", "--compare", found],
        "serve": [missing, "--slides", missing],
        "open": [missing, "--no-browser"],
        "synth": ["--out", f"{out}/synth.tiff", "--size", "256x256"],
        "store import": [study, f"{good}/other.csv", "--rater", "b"],
        "store export": [study, "--format", "csv", "--out", results],
        "store agreement": [study],
        "curate candidates": [study, "round", "--pred", found],
        "curate crops": [study, "review", "--slides", str(good), "--out", results],
        "curate missed": [study, "round", *training],
        "curate hard-examples": [study, "round", "--scores", scores],
        "curate split-ambiguous": [study, "--scores", scores],
        "curate freeze": [study, "v1"],
        "curate board": [
            study,
            "--embeddings",
            points,
            "--coordinates",
            points,
            "--out",
            results,
        ],
        "curate self-train": [study, "--unlabelled", str(good), *training],
        "curate select": [study, "--pred", found, "--out", results],
        "data get": ["midogpp", "--data", results, "--url-base", "http://127.0.0.1:9"],
        "bundle calibrate": ["cascade", "--pred", f"{good}/results", "--truth", csv, "--out", results],
        "bundle classify": ["cascade", csv, "--slides", str(good)],
        "bundle adapt": ["cascade", csv, "--slides", str(good), "--out", results],
        "bundle quantise": ["cascade", slide, "--out", results],
        "bundle join": ["semi-fcn", "cascade", "--out", results],
        "results import": [slide, found, "--out", results],
        "results join": [f"{good}/results", missing, "--out", results],
        "results calibrate": [f"{good}/results", "--truth", csv, "--out", results],
        "compare": [f"a={found}", f"b={found}", "--truth", csv, "--out", results],
        "bundle import": [missing, "--layout", "heatmap", "--out", results],
        "train": [missing, "--data", str(good), "--out", results],
        "experiment run": ["cmc-table4", "--data", missing, "--out", results],
    }


def main() -> None:
    """Run each command with each number in each option; each keeps its share where one in so many is run."""
    good, out, one_in = Path(sys.argv[1]) / "good", Path(sys.argv[1]) / "out", int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    warnings.simplefilter("ignore")
    arguments_of = calls(good, out)
    for place, (command, option) in enumerate(numeric_options()):
        for turn, number in enumerate(NUMBERS):
            if (place + turn) % one_in:
                continue
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            shutil.copy(good / "study.mito", out / "copy.mito")
            # An option that is given twice has the last value.
            chosen = ["--top=2"] if (command, option) in _CHOICES else []
            arguments = [*command.split(), *arguments_of[command], *chosen, f"{option}={number}"]
            print(json.dumps(outcome(arguments) | {"arguments": arguments}), flush=True)


if __name__ == "__main__":
    main()
