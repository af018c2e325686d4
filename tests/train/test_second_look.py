"""A network for a second look learns from what a first stage proposes, and from what it says of it itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.bundle import load_bundle
from mitoscope.data.sampling import PROPOSAL, Candidates, is_crop
from mitoscope.errors import ConfigError
from mitoscope.train.detect import mine_hard_negatives, propose
from mitoscope.train.job import new_state, setup
from mitoscope.train.recipe import Recipe
from mitoscope.train.repeats import Member
from mitoscope.train.train import fields_for

pytestmark = pytest.mark.train


def second_look(first_stage: str = "cascade") -> Recipe:
    values: dict[str, object] = {
        "model": {"architecture": "classifier", "backbone": "mobilenetv3_small_050", "patch_px": 48},
        "data": {
            "source": {"kind": "open-data"},
            "split": {"held_out": ("BreCaHAD/Case_10",), "every_nth": 6},
            "sampling": {
                "kind": "candidates",
                "window_px": 48,
                "first_stage": first_stage,
                "floor": 0.001,
                "figures": 2,
                "others": 4,
            },
        },
        "phases": [{"steps": 2, "learning_rate": 0.01}],
        "validation": {"metric": "auc", "batches": 2},
    }
    return Recipe.parse(values, where="test")


def test_proposals_are_cells_of_whole_fields_with_their_scores(tiny_data: Path) -> None:
    fields = fields_for(second_look(), tiny_data)
    found = {
        (field.source, field.name): field.labels.take(field.labels.label == PROPOSAL) for field in fields
    }
    assert all(not len(found[field.source, field.name]) for field in fields if is_crop(field))
    brecahad = found["brecahad", "0.webp"]
    assert np.hypot(*(brecahad.points - (60, 80)).T).min() < 8  # its dark disc
    assert ((brecahad.agreement > 0.001) & (brecahad.agreement <= 1)).all()
    again = fields_for(second_look(), tiny_data)
    assert [field.digest() for field in fields] == [field.digest() for field in again]


def test_a_first_stage_of_another_resolution_is_refused(tiny_data: Path) -> None:
    fields = fields_for(second_look(), tiny_data)
    with pytest.raises(ConfigError, match=r"first_stage: cascade 0\.3\.0 proposes nothing at 0\.4 µm/px"):
        propose(fields, load_bundle("cascade"), floor=0.1, mpp=0.4)


def test_a_round_of_mining_weighs_the_proposals_by_what_the_network_says(
    tiny_data: Path, tmp_path: Path
) -> None:
    recipe = second_look()
    fields = fields_for(recipe, tiny_data)
    job = setup(recipe, fields, tiny_data, out=tmp_path, member=Member("", recipe.run.seed, None))
    scheme = job.batches.scheme
    assert isinstance(scheme, Candidates)
    assert len(scheme.proposals) > 3
    state = new_state(job)
    before = scheme.windows(5, state.hard, seed=1)
    mine_hard_negatives(job, state)
    assert (state.hard.x == scheme.proposals.x).all()
    assert state.hard.weight.sum() == pytest.approx(1)
    assert not np.allclose(state.hard.weight, scheme.proposals.weight)
    assert scheme.windows(5, state.hard, seed=1)[:2] == before[:2]  # the figures are the same
