"""Resuming: a training that was killed ends with the weights of one that was not, bit for bit."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from svg_quality.errors import ModelError
from svg_quality.model.losses import LossConfig
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.training import resume
from svg_quality.training.recipe import Recipe, fit_head
from svg_quality.training.resume import STATE, epochs_done, load_state, save_state
from svg_quality.training.rows import Rows
from svg_quality.training.trainer import TrainingConfig

HEAD = HeadConfig(d_bottleneck=4, hidden_dims=(16,), n_members=2)  # with dropout and batch norm
RECIPE = Recipe(HEAD, TrainingConfig(epochs=6, learning_rate=5e-3, patience=6), batch_size=16)


def rows(n: int, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    tabular = rng.uniform(-1, 1, (n, 4)).astype(np.float32)
    return Rows(
        features=rng.normal(size=(n, 8)).astype(np.float32),
        image_index=np.arange(n),
        tabular=tabular,
        ssim=np.tanh(1 + 0.5 * tabular[:, 0]).astype(np.float32),
        log_bytes=(8 + tabular[:, 2]).astype(np.float32),
    )


class Killed(Exception):
    """Stands for a signal, in tests that need not wait for a process."""


def fit(folder: Path | None, recipe: Recipe = RECIPE, **asked: Any) -> tuple[QualityHead, Any]:
    return fit_head(rows(90), rows(40, seed=1), recipe, checkpoint_dir=folder, **asked)


def cut_short(folder: Path, recipe: Recipe = RECIPE, after: int = 3) -> None:
    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        if epoch == after:
            raise Killed

    with pytest.raises(Killed):
        fit(folder, recipe, on_epoch=on_epoch)


def same(one: QualityHead, other: QualityHead) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def untimed(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in metrics.items() if k != "elapsed"} for metrics in history]


VARIANTS: list[dict[str, Any]] = [
    {},
    {"schedule": "plateau", "optimizer": "adam", "weight_decay": 1e-5},
    {"schedule": "cosine", "accumulation": 2},
    {"schedule": "step"},
    {"schedule": "constant", "loss": LossConfig(weighting="uncertainty", ranking_weight=0.1)},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=lambda changes: changes.get("schedule", "cycle"))
def test_what_was_cut_short_ends_as_if_it_had_not_been(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, training=dataclasses.replace(RECIPE.training, **changes))
    whole, said = fit(tmp_path / "whole", recipe)
    cut_short(tmp_path / "cut", recipe)
    assert untimed(epochs_done(tmp_path / "cut")) == untimed(said["training_history"][:3])
    torch.manual_seed(99)  # what another process would have
    heard: list[int] = []
    again, told = fit(
        tmp_path / "cut", recipe, resume=True, on_epoch=lambda epoch, metrics: heard.append(epoch)
    )
    assert heard == [4, 5, 6]
    assert same(whole, again)
    assert untimed(told["training_history"]) == untimed(said["training_history"])
    assert told["best_epoch"] == said["best_epoch"]
    for name in ("best/weights.safetensors",):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_it_would_not_without_the_state(tmp_path: Path) -> None:
    """The test above can fail: another seed of the dropout gives other weights."""
    whole, _ = fit(tmp_path / "whole")
    cut_short(tmp_path / "cut")
    state = load_state(tmp_path / "cut" / STATE)
    assert state is not None
    torch.manual_seed(99)
    state["random"] = torch.get_rng_state()
    save_state(tmp_path / "cut" / STATE, state)
    assert not same(whole, fit(tmp_path / "cut", resume=True)[0])


def test_what_had_ended_is_given_again(tmp_path: Path) -> None:
    whole, said = fit(tmp_path)
    again, told = fit(tmp_path, resume=True)
    assert same(whole, again)
    assert told["epochs_completed"] == said["epochs_completed"] == 6
    assert told["training_time"] >= said["training_history"][-1]["elapsed"]


def test_patience_counts_on(tmp_path: Path) -> None:
    hasty = dataclasses.replace(
        RECIPE, training=dataclasses.replace(RECIPE.training, epochs=40, patience=2)
    )
    whole, said = fit(tmp_path / "whole", hasty)
    cut_short(tmp_path / "cut", hasty, after=said["epochs_completed"] - 1)
    again, told = fit(tmp_path / "cut", hasty, resume=True)
    assert told["epochs_completed"] == said["epochs_completed"] < 40
    assert same(whole, again)


def test_nothing_to_resume_is_a_beginning(tmp_path: Path) -> None:
    assert epochs_done(tmp_path) == []
    assert same(fit(tmp_path, resume=True)[0], fit(None)[0])


def test_without_asking_it_begins_anew(tmp_path: Path) -> None:
    cut_short(tmp_path)
    heard: list[int] = []
    fit(tmp_path, on_epoch=lambda epoch, metrics: heard.append(epoch))
    assert heard == [1, 2, 3, 4, 5, 6]


def test_another_recipe_and_other_rows_are_refused(tmp_path: Path) -> None:
    cut_short(tmp_path)
    others = dataclasses.replace(RECIPE, batch_size=17)
    with pytest.raises(ModelError, match="must go on with the recipe and rows it began with"):
        fit(tmp_path, others, resume=True)
    with pytest.raises(ModelError, match="must go on with the recipe and rows it began with"):
        fit_head(rows(90), rows(40, seed=2), RECIPE, checkpoint_dir=tmp_path, resume=True)


@pytest.mark.parametrize("damage", [b"damaged", b""])
def test_a_damaged_state_is_refused(damage: bytes, tmp_path: Path) -> None:
    cut_short(tmp_path)
    (tmp_path / STATE).write_bytes(damage)
    with pytest.raises(ModelError, match="a training's state must be readable"):
        fit(tmp_path, resume=True)


def test_a_state_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / STATE
    before = {"a": [torch.arange(3), 0.1], "b": {"c": None, "d": (1, "e")}}
    save_state(path, before)

    def torn(tensors: object, filename: Path, metadata: object) -> None:
        filename.write_bytes(b"half of")
        raise Killed

    monkeypatch.setattr(resume, "save_file", torn)
    with pytest.raises(Killed):
        save_state(path, {"a": []})
    read = load_state(path)
    assert read is not None
    assert torch.equal(read["a"][0], torch.arange(3))
    assert (read["a"][1], read["b"]) == (0.1, {"c": None, "d": [1, "e"]})


PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_resume import fit

def on_epoch(epoch, metrics):
    print(epoch, flush=True)
    time.sleep(0.05)

fit(Path(sys.argv[1]), resume=True, on_epoch=on_epoch)
"""


@pytest.mark.slow
def test_killed_for_good_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """SIGKILL to a real process, at two moments; a third process finishes."""
    program = PROGRAM.format(folder=str(Path(__file__).parent))
    heard: list[int] = []
    for kill_after, pause in ((2, 0.03), (4, 0.06), (None, 0.0)):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "killed")],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            heard.append(int(line))
            if heard[-1] == kill_after:
                time.sleep(pause)
                process.send_signal(signal.SIGKILL)
                break
        rest = process.stdout.read()
        heard += [int(line) for line in rest.split()]
        process.stdout.close()
        assert process.wait(60) == (-signal.SIGKILL if kill_after else 0)
    assert sorted(set(heard)) == [1, 2, 3, 4, 5, 6]
    assert heard[:2] == [1, 2]
    assert heard.count(1) == 1  # none began anew
    whole, _ = fit(tmp_path / "whole")
    again, _ = fit(tmp_path / "killed", resume=True)
    assert same(whole, again)
