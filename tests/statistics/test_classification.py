from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.statistics import ConfusionMatrix, balanced_accuracy, rates_at, roc_auc

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
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(true, predicted))
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


def test_the_roc_area_is_the_share_of_pairs_in_order() -> None:
    score, positive = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False])
    pairs = [(a > b) + 0.5 * (a == b) for a in score[positive] for b in score[~positive]]
    assert roc_auc(score, positive) == pytest.approx(np.mean(pairs))


def test_rates_equal_counting_one_by_one() -> None:
    generator = np.random.default_rng(0)
    scores, truth = np.round(generator.random((40, 50)), 1), generator.random((40, 50)) < 0.1
    thresholds = [0.0, 0.3, 0.5, 1.0]
    rates = rates_at(scores, truth, thresholds=thresholds)
    for place, threshold in enumerate(thresholds):
        said = scores > threshold
        assert rates.recall[place] == (said & truth).sum() / truth.sum()
        assert rates.false_positive_rate[place] == (said & ~truth).sum() / (~truth).sum()
        assert rates.accuracy[place] == (said == truth).mean()
        tp, fp, fn = rates.counts[place].tolist()
        assert rates.f1[place] == 2 * tp / (2 * tp + fp + fn)
        if said.any():
            assert rates.precision[place] == (said & truth).sum() / said.sum()
    assert np.isnan(rates.precision[-1])


def test_what_is_undefined_is_said() -> None:
    nothing = ConfusionMatrix.of([], [], labels=("a", "b"))
    assert nothing.accuracy is None
    assert nothing.one_against_all("a").f1 is None
    assert roc_auc([0.1, 0.2], [True, True]) is None


def test_bad_input_is_refused() -> None:
    with pytest.raises(FormatError, match="1 true and 2 predicted"):
        ConfusionMatrix.of(["a"], ["a", "b"])
    with pytest.raises(FormatError, match="unknown class 'b'"):
        ConfusionMatrix.of(["a"], ["b"], labels=("a",))
    with pytest.raises(FormatError, match="different classes"):
        _ = ConfusionMatrix.of(["a"], ["a"]) + ConfusionMatrix.of(["b"], ["b"])
    with pytest.raises(NonFiniteError):
        roc_auc([float("nan")], [True])
    with pytest.raises(NonFiniteError):
        rates_at([float("inf")], [True], thresholds=[0.5])
    with pytest.raises(FormatError, match=r"scores of \(1,\) with classes of \(2,\)"):
        roc_auc([0.5], [True, False])
    with pytest.raises(FormatError, match=r"scores of \(1,\) with classes of \(2,\)"):
        rates_at([0.5], [True, False], thresholds=[0.5])


def test_balanced_accuracy_is_undefined_without_a_cell_of_a_class() -> None:
    assert ConfusionMatrix.of(["a", "a"], ["a", "b"], labels=("a", "b")).balanced_accuracy is None
    assert ConfusionMatrix.of(["a", "b", "b", "b"], ["a", "b", "b", "a"]).balanced_accuracy == pytest.approx(
        5 / 6
    )
    many = np.array([[[1, 1], [0, 3]], [[2, 0], [0, 0]]])
    assert balanced_accuracy(many) == pytest.approx([0.75, np.nan], nan_ok=True)
