"""The page of a search says what was chosen and measured in words, and its files say the same."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from svg_quality.settings import TrainSettings
from svg_quality.training.searching.page import (
    CHOICES,
    FIGURES,
    Repeated,
    SearchReport,
    write_search_page,
)
from svg_quality.training.searching.space import SPACE, chosen_by, settings_of
from svg_quality.training.searching.study import StudyResult, TrialRow

START = TrainSettings()
CHOSEN = {
    "width": 256, "depth": 3, "taper": 0.5, "dropout_rate": 0.1, "batch_norm": False,
    "loss": "mse", "ranking_weight": 0.5, "bytes_weight": 0.25, "learning_rate": 0.02,
    "weight_decay": 0.5, "batch_size": 128, "d_bottleneck": 4, "n_members": 1,
}  # fmt: skip


class Told(HTMLParser):
    """Everything that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.text = False, ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        self.text += "" if self.hidden else data


def trial(number: int, state: str, chosen: dict[str, Any], value: float | None) -> TrialRow:
    reason = "the loss must be <finite>" if state == "FAIL" else ""
    attributes = {"mlflow_run_id": f"run{number}5678rest"}
    return TrialRow(number, state, value, chosen, {}, 2, value, 1.5, attributes, reason)


@pytest.fixture
def report() -> SearchReport:
    """Three trials, of which the second won and the third failed."""
    trials = (
        trial(0, "COMPLETE", chosen_by(START) or {}, 0.03),
        trial(1, "COMPLETE", CHOSEN, 0.02),
        trial(2, "FAIL", {**CHOSEN, "loss": "focal"}, None),
    )
    figures = dict.fromkeys(FIGURES, (0.25, 0.75))
    winner = settings_of(CHOSEN, START).model_dump()
    return SearchReport(
        facts={"study": "small & <new>", "run": "abc"},
        study=StudyResult(trials, trials[1], dict.fromkeys(SPACE, 1 / len(SPACE))),
        winner=Repeated("winner", winner, (1, 2), figures, figures),
        defaults=Repeated("start", START.model_dump(), (1, 2), figures, {}),
        verdict="The winner's everyday MAE is the same.",
        n_test_looks=1,
        command="svg-quality train --config best.yaml",
    )


def test_headings_are_words_and_no_name_of_the_code_is_seen(
    report: SearchReport, tmp_path: Path
) -> None:
    page = write_search_page(report, tmp_path)["html_report"].read_text()
    told = Told()
    told.feed(page)
    for heading in (*FIGURES.values(), *CHOICES.values()):
        assert heading in told.text
    assert re.findall(r"\b[a-z]+_\w+", told.text) == []
    assert 'title="everyday_ssim_mae">Everyday region: SSIM error<' in page
    assert "finished ★" in told.text
    assert "the loss must be <finite>" in told.text


def test_whatever_a_trial_can_choose_has_a_heading() -> None:
    changed = settings_of(CHOSEN, START).model_dump()
    differ = {name for name, value in changed.items() if value != START.model_dump()[name]}
    assert set(CHOICES) == set(SPACE) | differ
    assert len(set(CHOICES.values())) == len(CHOICES)


def test_the_figures_are_in_the_json_and_the_settings_in_the_yaml(
    report: SearchReport, tmp_path: Path
) -> None:
    written = write_search_page(report, tmp_path / "new")
    assert {path.name for path in written.values()} == {"search.html", "search.json", "best.yaml"}
    told = json.loads(written["metrics"].read_text())
    assert told["winner"]["validation"] == {name: [0.25, 0.75] for name in FIGURES}
    assert told["study"]["best"]["chosen"] == CHOSEN
    settings = yaml.safe_load(written["best"].read_text())["train"]
    assert TrainSettings.model_validate(settings) == settings_of(CHOSEN, START)
