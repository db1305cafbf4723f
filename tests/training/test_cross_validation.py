"""Laws of the folds: whole groups, everything once, nothing seen before it is predicted."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.errors import DatasetError
from svg_quality.model.quality_head import HeadConfig
from svg_quality.training.cross_validation import VALIDATION_PART, cross_validate, plan_folds
from svg_quality.training.recipe import Recipe
from svg_quality.training.rows import Rows
from svg_quality.training.trainer import TrainingConfig


@st.composite
def folded(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Folds and groups of rows: every group in one fold, some always trained on."""
    n_folds = draw(st.integers(2, 5))
    others = st.lists(st.integers(-2, n_folds - 1), min_size=0, max_size=20)
    of_group = [*range(n_folds), *range(n_folds), *(x for x in draw(others) if x != -1)]
    n_rows = draw(st.lists(st.integers(1, 4), min_size=len(of_group), max_size=len(of_group)))
    groups = np.repeat([f"g{k}" for k in range(len(of_group))], n_rows)
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(groups))
    return np.repeat(of_group, n_rows)[order], groups[order]


@given(folded(), st.integers(0, 5))
def test_no_group_has_two_parts(rows: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    fold_of_row, groups = rows
    for fold in plan_folds(fold_of_row, groups, seed=seed):
        parts = [set(groups[part]) for part in (fold.train, fold.validation, fold.held)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
        assert len(fold.train) + len(fold.validation) + len(fold.held) == len(groups)
        assert all(parts)
        assert set(np.flatnonzero(fold_of_row == -2)) <= set(fold.train)


@given(folded())
def test_every_row_of_a_fold_is_held_once(rows: tuple[np.ndarray, np.ndarray]) -> None:
    fold_of_row, groups = rows
    folds = plan_folds(fold_of_row, groups)
    held = np.concatenate([fold.held for fold in folds])
    assert sorted(held) == list(np.flatnonzero(fold_of_row >= 0))
    assert all(one.number < other.number for one, other in pairwise(folds))


def test_a_part_of_the_groups_stops_the_training() -> None:
    fold_of_row = np.repeat(np.arange(5), 16)
    groups = np.arange(80)
    for fold in plan_folds(fold_of_row, groups):
        assert len(fold.validation) == 64 // VALIDATION_PART
    again, other = plan_folds(fold_of_row, groups), plan_folds(fold_of_row, groups, seed=1)
    first = plan_folds(fold_of_row, groups)[0].validation
    assert (first == again[0].validation).all()
    assert (first != other[0].validation).any()


def test_a_torn_group_is_refused() -> None:
    with pytest.raises(DatasetError, match="a group must be in one fold, b is in several"):
        plan_folds(np.array([0, 0, 1]), np.array(["a", "b", "b"]))
    with pytest.raises(DatasetError, match="a group must be in one fold, b is in several"):
        plan_folds(np.array([0, 1, -2]), np.array(["a", "b", "b"]))


def test_too_few_folds_are_refused() -> None:
    with pytest.raises(DatasetError, match="two or more folds, got 1"):
        plan_folds(np.array([0, 0, -2]), np.array(["a", "b", "c"]))
    with pytest.raises(DatasetError, match="n_folds must be at most the release's 2, got 3"):
        plan_folds(np.array([0, 1]), np.array(["a", "b"]), n_folds=3)
    with pytest.raises(DatasetError, match="two or more logos to learn from, fold 0 leaves 1"):
        plan_folds(np.array([0, 1]), np.array(["a", "b"]))


def test_what_is_predicted_was_not_seen() -> None:
    """A fold whose targets lie elsewhere is predicted as if it did not: nothing leaked."""
    rng = np.random.default_rng(0)
    n = 300
    groups = np.repeat(np.arange(60), 5)
    fold_of_row = groups % 3
    ssim = np.where(fold_of_row == 0, -0.8, 0.8).astype(np.float32)
    tabular = rng.normal(size=(n, 4)).astype(np.float32)
    rows = Rows(
        np.zeros((60, 3), np.float32), groups.astype(np.int64), tabular, ssim,
        rng.normal(8, 1, n).astype(np.float32),
    )  # fmt: skip
    recipe = Recipe(
        HeadConfig(hidden_dims=(16,), n_members=2, d_bottleneck=2),
        TrainingConfig(epochs=8, seed=1),
        batch_size=64,
    )
    folds = plan_folds(fold_of_row, groups)
    epochs: list[int] = []
    said = list(
        cross_validate(
            rows, folds, recipe, lambda fold: lambda epoch, _: epochs.append(fold.number)
        )
    )
    assert [one.fold.number for one in said] == [0, 1, 2]
    assert epochs == sorted(epochs)
    assert set(epochs) == {0, 1, 2}
    assert said[0].ssim.min() > 0.4
    assert all(len(one.ssim) == len(one.log_bytes) == len(one.fold.held) for one in said)
    assert all((one.ssim_spread > 0).all() for one in said)
