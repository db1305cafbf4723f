"""From the choice of a trial to settings, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.settings import TrainSettings
from svg_quality.training.searching.space import SPACE, Names, chosen_by, hidden_dims, settings_of


def values(limits: object) -> st.SearchStrategy[object]:
    if isinstance(limits, Names):
        return st.sampled_from(limits.choices)
    low, high, step = limits.low, limits.high, limits.step  # type: ignore[attr-defined]
    if step:
        return st.sampled_from(range(int(low), int(high) + 1, step))
    return st.floats(low, high)


CHOICES = st.fixed_dictionaries({name: values(limits) for name, limits in SPACE.items()})


@given(CHOICES)
def test_every_choice_gives_valid_settings(chosen: dict[str, object]) -> None:
    base = TrainSettings(epochs=7, optimizer="adam")
    settings = settings_of(chosen, base)
    assert (settings.epochs, settings.optimizer) == (7, "adam")
    widths = [int(width) for width in settings.hidden_dims.split("-")]
    assert len(widths) == chosen["depth"]
    assert widths[0] == chosen["width"]
    assert widths == sorted(widths, reverse=True)
    assert all(getattr(settings, k) == v for k, v in chosen.items() if hasattr(settings, k))


def test_the_defaults_are_in_the_space() -> None:
    chosen = chosen_by(TrainSettings())
    assert chosen is not None
    assert list(chosen) == list(SPACE)
    assert settings_of(chosen, TrainSettings()) == TrainSettings()


@pytest.mark.parametrize(
    "outside", [{"hidden_dims": "512-128-512"}, {"hidden_dims": "100"}, {"n_members": 9},
                {"learning_rate": 0.5}, {"hidden_dims": "512-512-512-512-512"}]
)  # fmt: skip
def test_what_the_space_does_not_reach(outside: dict[str, object]) -> None:
    assert chosen_by(TrainSettings.model_validate(outside)) is None


@pytest.mark.parametrize(
    ("widths", "written"),
    [((512, 2, 1.0), "512-512"), ((512, 3, 0.5), "512-256-128"), ((128, 4, 0.7), "128-96-64-48")],
)
def test_widths(widths: tuple[int, int, float], written: str) -> None:
    assert hidden_dims(*widths) == written
