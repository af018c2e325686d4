from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.evaluate.classification import ConfusionMatrix, over_runs, roc, roc_auc

CLASSES = ("granulocyte", "look-alike", "mitotic figure", "tumour cell")


def made(seed: int, n: int = 400) -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(seed)
    true = generator.choice(CLASSES, n)
    other = generator.choice(CLASSES, n)
    return true.tolist(), np.where(generator.random(n) < 0.7, true, other).tolist()


def test_equals_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    true, predicted = made(0)
    found = ConfusionMatrix.of(true, predicted, labels=CLASSES)
    assert found.counts.tolist() == metrics.confusion_matrix(true, predicted, labels=CLASSES).tolist()
    assert found.accuracy == pytest.approx(metrics.accuracy_score(true, predicted))
    assert found.kappa == pytest.approx(metrics.cohen_kappa_score(true, predicted))
    expected = metrics.precision_recall_fscore_support(true, predicted, labels=CLASSES)
    for place, label in enumerate(CLASSES):
        score = found.one_against_all(label)
        assert [score.precision, score.recall, score.f1] == pytest.approx(
            [row[place] for row in expected[:3]]
        )


def test_matrices_add_up() -> None:
    parts = [made(seed) for seed in range(3)]
    total = sum(
        (ConfusionMatrix.of(*part, labels=CLASSES) for part in parts[1:]),
        ConfusionMatrix.of(*parts[0], labels=CLASSES),
    )
    joined = ConfusionMatrix.of(
        [one for true, _ in parts for one in true], [one for _, found in parts for one in found]
    )
    assert total.counts.tolist() == joined.counts.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_the_roc_area_equals_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(seed)
    score = np.round(generator.random(300), 2)
    positive = generator.random(300) < score
    assert roc_auc(score, positive) == pytest.approx(metrics.roc_auc_score(positive, score))
    curve = roc(score, positive)
    assert curve is not None
    false, true, _ = metrics.roc_curve(positive, score, drop_intermediate=False)
    assert curve.false_positive_rate == pytest.approx(false)
    assert curve.true_positive_rate == pytest.approx(true)


def test_the_roc_area_is_the_share_of_pairs_in_order() -> None:
    score, positive = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False])
    pairs = [(a > b) + 0.5 * (a == b) for a in score[positive] for b in score[~positive]]
    assert roc_auc(score, positive) == pytest.approx(np.mean(pairs))


def test_runs_are_mean_and_standard_deviation() -> None:
    runs = [ConfusionMatrix.of(*made(seed), labels=CLASSES) for seed in range(5)]
    summary = over_runs(runs)
    values = [run.one_against_all("mitotic figure").precision for run in runs]
    assert summary.precision["mitotic figure"].mean == pytest.approx(np.mean(np.array(values, float)))
    assert summary.precision["mitotic figure"].sd == pytest.approx(np.std(np.array(values, float), ddof=1))
    assert summary.accuracy.n == 5


def test_what_is_undefined_is_said() -> None:
    nothing = ConfusionMatrix.of([], [], labels=("a", "b"))
    assert nothing.accuracy is None
    assert nothing.kappa is None
    assert nothing.one_against_all("a").f1 is None
    assert ConfusionMatrix.of(["a"], ["a"]).kappa is None
    assert roc_auc([0.1, 0.2], [True, True]) is None


def test_bad_input_is_refused() -> None:
    with pytest.raises(FormatError, match="1 true and 2 predicted"):
        ConfusionMatrix.of(["a"], ["a", "b"])
    with pytest.raises(FormatError, match="unknown class 'b'"):
        ConfusionMatrix.of(["a"], ["b"], labels=("a",))
    with pytest.raises(FormatError, match="different classes"):
        _ = ConfusionMatrix.of(["a"], ["a"]) + ConfusionMatrix.of(["b"], ["b"])
    with pytest.raises(NonFiniteError):
        roc([float("nan")], [True])
    with pytest.raises(FormatError, match="1 scores with 2 classes"):
        roc([0.5], [True, False])
    with pytest.raises(FormatError, match="runs with the same classes"):
        over_runs([])
