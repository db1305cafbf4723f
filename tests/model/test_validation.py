"""The validator: sound networks pass, and each seeded fault is caught by the check meant for it."""

import itertools
import json
import math
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from svg_quality.errors import DatasetError, ModelError
from svg_quality.model.mlp import SSIMPredictor
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.model.validation.checks import Check
from svg_quality.model.validation.comparison import compare_architectures, scoring_check
from svg_quality.model.validation.determinism import determinism_checks
from svg_quality.model.validation.dimensions import dimension_checks
from svg_quality.model.validation.examples import (
    UNIT,
    Example,
    example_of,
    named_outputs,
    noise,
)
from svg_quality.model.validation.gradients import frozen_check, gradient_checks, layer_gradients
from svg_quality.model.validation.memory import memory_checks, memory_growth
from svg_quality.model.validation.odd_inputs import odd_input_checks, refusal_check
from svg_quality.model.validation.report import ValidationReport, write_validation
from svg_quality.model.validation.timing import layer_times, thread_times, time_checks
from svg_quality.model.validation.validator import ModelArchitectureValidator

EXAMPLE = Example(noise(0, (8,)), {"output": UNIT}, n_training=16, n_timed=4, n_passes=3)


torch.manual_seed(0)  # for the networks that are made as parameters of tests


class Net(nn.Module):
    """Sound; each test breaks one thing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 1)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(self.dropout(torch.relu(self.norm(self.first(x))))))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


def failed(checks: list[Check]) -> list[str]:
    return [x.name for x in checks if x.outcome == "fail"]


def gradients_of(model: nn.Module, example: Example = EXAMPLE) -> list[Check]:
    return gradient_checks(layer_gradients(model, example, 0))


def memory_of(model: nn.Module, n_calls: int = 40) -> list[Check]:
    return memory_checks(memory_growth(model, EXAMPLE, n_calls))


def test_a_sound_network_passes_and_is_left_as_it_was(tmp_path: Path) -> None:
    model = Net().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.random.get_rng_state()
    areas: list[str] = []
    report = ModelArchitectureValidator(
        model, EXAMPLE, n_calls=30, on_area=areas.append
    ).validate_architecture()
    assert report.passed, report.failed
    assert areas == ["dimensions", "gradients", "memory", "time", "inputs", "determinism"]
    assert {x.area for x in report.checks} == set(areas)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.first._forward_hooks
    written = write_validation(ValidationReport((report,)), tmp_path)
    assert json.loads(written["metrics"].read_text())["verdict"] == "pass"


@pytest.mark.parametrize(
    "model",
    [
        SSIMPredictor(12, (16, 8)),
        SSIMPredictor(12, (16,), use_batch_norm=False, output="tanh"),
        QualityHead(HeadConfig(d_tabular=3, d_pieces=3, d_features=16, hidden_dims=(16,))),
    ],
)
def test_networks_of_this_project_pass_without_an_example(model: nn.Module) -> None:
    if isinstance(model, QualityHead):
        model.piece_column.copy_(torch.arange(3))
    report = ModelArchitectureValidator(model, n_calls=20).validate_architecture()
    assert report.passed, report.failed


@pytest.mark.slow
def test_the_whole_model_passes() -> None:
    """On small pictures: ResNet takes any size, and 224 px would take minutes on a busy machine."""
    from svg_quality.model.quality_model import QualityPredictionModel

    model = QualityPredictionModel().eval()
    known = example_of(model)
    small = noise(0, (3, 64, 64))
    example = Example(
        lambda n: (*small(n), known.inputs(1)[1].expand(n, -1).clone()), known.ranges,
        n_training=4, n_timed=1, n_passes=3,
    )  # fmt: skip
    report = ModelArchitectureValidator(model, example, n_calls=5).validate_architecture()
    assert report.passed, report.failed
    frozen = QualityPredictionModel().eval()
    frozen.extractor.freeze(3)
    assert frozen_check(frozen, example, 0, ["extractor.resnet.layer1"]).outcome == "pass"
    assert frozen_check(frozen, example, 0, ["extractor.resnet.layer4"]).outcome == "fail"


def test_an_unknown_network_needs_an_example() -> None:
    with pytest.raises(ModelError, match="an example must be given for a Net"):
        ModelArchitectureValidator(Net())


# dimensions


class OutOfRange(Net):
    def forward(self, x: Tensor) -> Tensor:
        return 2 + super().forward(x)


class MixesRows(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(0))


class OneNumber(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mean(0)


@pytest.mark.parametrize(
    ("model", "caught"),
    [
        (OutOfRange(), ["batch of 1", "batch of 2", "batch of 8", "batch of 33"]),
        (MixesRows(), ["alone and in a batch"]),
        (OneNumber(), ["batch of 2", "batch of 8", "batch of 33", "alone and in a batch"]),
    ],
)
def test_wrong_outputs_are_caught(model: nn.Module, caught: list[str]) -> None:
    for layer in (model.first, model.last):  # away from the middle, whatever torch's seed
        nn.init.constant_(layer.weight, 0.3)  # type: ignore[arg-type]
    assert failed(dimension_checks(model, EXAMPLE)) == caught


def test_outputs_must_be_tensors() -> None:
    assert list(named_outputs((torch.zeros(1), torch.ones(1)))) == ["0", "1"]
    with pytest.raises(ModelError, match="outputs must be tensors, got str"):
        named_outputs("ssim")
    with pytest.raises(ModelError, match="outputs must be tensors, a is int"):
        named_outputs({"a": 1})


# gradients


class Dead(Net):
    """Its first layer always feeds the flat side of a ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(torch.relu(self.first(x) - 1e6)))


class Detached(Net):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(self.first(x).detach()))


class Vanishing(Net):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(1 + 1e-9 * self.first(x)))


class Exploding(Net):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(torch.sin(1e7 * self.first(x))))


class NanGradient(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.sqrt(0 * self.first(x).abs()))


@pytest.mark.parametrize(
    ("model", "caught"),
    [
        (Dead(), "reaches every parameter"),
        (Detached(), "reaches every parameter"),
        (Vanishing(), "vanishing"),
        (Exploding(), "exploding"),
        (NanGradient(), "exploding"),
    ],
)
def test_sick_gradients_are_caught(model: nn.Module, caught: str) -> None:
    named = {x.name: x for x in gradients_of(model)}
    assert named[caught].outcome == "fail"
    assert "first.weight" in named[caught].fact


def test_a_large_loss_alone_explodes_nothing() -> None:
    def scaled(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        said: Tensor = 1e6 * (1 + model(*inputs)).mean()
        return said

    assert failed(gradients_of(Net(), Example(EXAMPLE.inputs, loss=scaled))) == []


def test_gradients_are_those_of_a_written_out_step() -> None:
    model = nn.Linear(2, 1, bias=False)
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    example = Example(lambda n: (x[:n],), n_training=2)
    found = layer_gradients(model, example, 0)
    w = model.weight.detach()[0]
    y = x @ w
    gradient = (2 * y[:, None] * x).mean(0)  # of mean(y^2)
    scale = max(float(y.square().mean()), 1.0)
    assert found[0].norm == pytest.approx(float(gradient.norm()) / scale, rel=1e-5)
    assert found[0].silent_units == 0


class TrainsFrozen(Net):
    """Its first layers are meant to be frozen, and the batch norm's statistics move."""

    def __init__(self) -> None:
        super().__init__()
        self.first.requires_grad_(False)
        self.norm.requires_grad_(False)


class StaysFrozen(TrainsFrozen):
    def train(self, mode: bool = True) -> "StaysFrozen":
        super().train(mode)
        self.norm.eval()
        return self


def test_a_frozen_part_that_trains_is_caught() -> None:
    said = frozen_check(Net(), EXAMPLE, 0, frozen=["first"])
    assert said.outcome == "fail"
    assert "first.weight" in said.fact
    said = frozen_check(TrainsFrozen(), EXAMPLE, 0)
    assert said.outcome == "fail"
    assert "norm.running_mean" in said.fact
    said = frozen_check(StaysFrozen(), EXAMPLE, 0, frozen=["first", "norm"])
    assert said.outcome == "pass"
    assert said.fact.startswith("7 frozen tensors are the same to the bit, 2 others moved")
    verdicts = {x.name: x.verdict for x in layer_gradients(StaysFrozen(), EXAMPLE, 0)}
    assert verdicts["first.weight"] == "frozen"
    assert failed(gradients_of(StaysFrozen())) == []


def test_a_trainable_part_that_never_moves_is_caught() -> None:
    said = frozen_check(Detached(), EXAMPLE, 0)
    assert said.outcome == "fail"
    assert "trainable, yet unchanged: first.weight" in said.fact


# memory


class KeepsTensors(Net):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        said = super().forward(x)
        self.kept.append(said.detach())
        return said


class KeepsGraph(Net):
    """One tensor only, but all the steps that led to it."""

    total: Tensor | float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        said = super().forward(x)
        self.total = self.total + said.sum()
        return said


class KeepsBytes(Net):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[bytes] = []

    def forward(self, x: Tensor) -> Tensor:
        self.kept.append(bytes(20_000))
        return super().forward(x)


def test_a_network_that_keeps_nothing_passes() -> None:
    assert failed(memory_of(Net())) == []


@pytest.mark.parametrize(
    ("model", "caught"),
    [
        (KeepsTensors(), "tensors alive"),
        (KeepsGraph(), "graphs held"),
        (KeepsBytes(), "Python's memory"),
    ],
)
def test_leaks_are_caught(model: nn.Module, caught: str) -> None:
    assert caught in failed(memory_of(model))


def test_other_threads_may_build_tuples_meanwhile() -> None:
    """A tuple that the garbage collector shows before it is whole raises SystemError there."""
    ended, errors = threading.Event(), []

    def build() -> None:
        while not ended.is_set():
            try:
                tuple(time.sleep(0) for _ in range(100))
            except SystemError as error:
                errors.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    memory_of(Net(), n_calls=5)
    ended.set()
    thread.join()
    assert errors == []


def test_a_leak_below_python_is_seen_in_the_process() -> None:
    sizes = itertools.chain([100_000_000], itertools.repeat(170_000_000))
    growth = memory_growth(Net(), EXAMPLE, 10, resident=lambda: next(sizes))
    assert failed(memory_checks(growth)) == ["memory of the process"]


# time, on a clock of our own: it goes one millisecond at each look


def test_the_time_of_layers_adds_up_to_the_pass() -> None:
    ticks = itertools.count()
    layers = layer_times(Net(), EXAMPLE.inputs(4), clock=lambda: next(ticks) * 1e-3, n_passes=3)
    named = {layer.name: layer for layer in layers}
    assert set(named) == {"first", "norm", "dropout", "last", "(between)"}
    assert all(named[name].ms == pytest.approx(1) for name in ("first", "norm", "last"))
    assert sum(layer.share for layer in layers) == pytest.approx(1)
    assert layers[0].name == "(between)"


def test_threads_take_turns_and_their_number_is_restored() -> None:
    now, used = 0.0, []

    def clock() -> float:
        nonlocal now
        used.append(torch.get_num_threads())
        now += 0.001 if torch.get_num_threads() == 1 else 0.004
        return now

    before = torch.get_num_threads()
    times = thread_times(Net(), EXAMPLE.inputs(4), n_threads=2, clock=clock, n_passes=4)
    assert torch.get_num_threads() == before
    assert used == [1, 1, 2, 2] * 4
    assert times.ratio == pytest.approx(4)
    ones = [x.outcome for x in time_checks([], times, EXAMPLE)]
    assert ones == ["pass", "warn"]


def test_the_number_of_threads_is_restored_after_an_error() -> None:
    def clock() -> float:
        raise OSError("no clock")

    with pytest.raises(OSError, match="no clock"):
        thread_times(Net(), EXAMPLE.inputs(4), n_threads=2, clock=clock)
    assert torch.get_num_threads() == 1


def test_architectures_are_set_side_by_side() -> None:
    ticks = itertools.count()
    x = torch.zeros(10, 4)
    models = {"a": (nn.Linear(4, 2), (x,)), "b": (nn.Linear(4, 8, bias=False), (x,))}
    one, two = compare_architectures(models, clock=lambda: next(ticks) * 0.1, n_passes=2)
    assert (one.name, one.n_parameters, two.n_parameters) == ("a", 10, 32)
    assert one.megabytes == pytest.approx(40e-6)
    assert one.ms == pytest.approx(100)
    assert scoring_check(one).outcome == "pass"
    slow = compare_architectures(models, clock=lambda: next(ticks) * 0.2, n_passes=2)[0]
    assert scoring_check(slow).outcome == "warn"


# odd inputs


class AnswersNan(Net):
    """An error that becomes a legal number."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.nan_to_num(x))


class SpreadsNan(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0 * x.sum())


class Overflows(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.exp(x) - torch.exp(x))


class Deaf(Net):
    """Never reads its third input."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.cat([x[:, :2], x[:, :1], x[:, 3:]], 1))


class Refuses(Net):
    def forward(self, x: Tensor) -> Tensor:
        if not torch.isfinite(x).all():
            raise ModelError("inputs must be finite")
        return super().forward(x)


@pytest.mark.parametrize(
    ("network", "caught"),
    [
        (Net, []),
        (Refuses, []),
        (AnswersNan, ["NaN, a whole row of input 0"]),
        (SpreadsNan, ["NaN, a whole row of input 0"]),
        (Overflows, ["1000 times too large"]),
        (OutOfRange, ["zeros", "ones", "noise", "1000 times too large"]),
    ],
)
def test_wrong_answers_to_odd_inputs_are_caught(
    network: type[nn.Module], caught: list[str]
) -> None:
    torch.manual_seed(0)
    model = network()
    nn.init.constant_(model.last.bias, 1.0)  # type: ignore[arg-type]
    assert failed(odd_input_checks(model, EXAMPLE, 0)) == caught


def test_a_place_that_is_never_read_is_told() -> None:
    said = {x.name: x for x in odd_input_checks(Deaf(), EXAMPLE, 0)}
    one = said["NaN, one place of input 0"]
    assert one.outcome == "warn"
    assert "of 8 places tried, 1 are not noticed (such as 2)" in one.fact


class TwoOutputs(Net):
    """The second output never reads the second input."""

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x + y), super().forward(x)


class TwoOutputsAnswerNan(TwoOutputs):
    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x, torch.nan_to_num(y))


def test_only_outputs_that_read_an_input_must_notice_it() -> None:
    example = Example(noise(0, (8,), (8,)))
    assert failed(odd_input_checks(TwoOutputs(), example, 0)) == []
    caught = failed(odd_input_checks(TwoOutputsAnswerNan(), example, 0))
    assert caught == ["NaN, a whole row of input 1"]


def test_a_refusal_is_an_error_of_this_project() -> None:
    def refuse() -> None:
        raise DatasetError("must be finite")

    assert refusal_check("rows", refuse).outcome == "pass"
    assert refusal_check("rows", lambda: 1.0).fact == "answered with float"


# determinism


class Random(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + torch.rand_like(x))


def test_outputs_that_change_are_caught() -> None:
    assert failed(determinism_checks(Random(), EXAMPLE, 0)) == ["two passes"]


def test_seeds_that_are_ignored_are_caught() -> None:
    fresh = itertools.count()

    def constant() -> nn.Module:
        layer = nn.Linear(8, 1)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    def counting() -> nn.Module:
        layer = nn.Linear(8, 1)
        nn.init.constant_(layer.weight, next(fresh))
        return layer

    def checked(build: object) -> list[str]:
        example = Example(EXAMPLE.inputs, build=build)  # type: ignore[arg-type]
        return failed(determinism_checks(Net(), example, 0))

    assert checked(Net) == []
    assert checked(constant) == ["networks of two seeds"]
    assert checked(counting) == ["two networks of one seed"]


class Counts(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1  # type: ignore[operator]
        return super().forward(x)


def test_a_network_that_changes_when_asked_is_caught() -> None:
    report = ModelArchitectureValidator(Counts(), EXAMPLE, n_calls=10).validate_architecture()
    assert "determinism: a pass leaves no trace" in report.failed
    assert report.outcome("determinism") == "fail"
    assert report.outcome() == "fail"


# the report


def test_a_report_names_what_failed_and_is_strict_json(tmp_path: Path) -> None:
    report = ModelArchitectureValidator(
        NanGradient(), EXAMPLE, name="the <head>", n_calls=10
    ).validate_architecture()
    whole = ValidationReport((report,), context={"run": "abc"})
    assert "the <head>, gradients: exploding" in whole.failed
    written = write_validation(whole, tmp_path)
    said = json.loads(written["metrics"].read_text(), parse_constant=lambda name: math.inf / 0)
    assert said["verdict"] == "fail"
    assert said["networks"][0]["gradients"][0]["norm"] == "nan"
    page = written["html_report"].read_text()
    assert "the &lt;head&gt;, gradients: exploding" in page
    assert '<span class="verdict fail">✗ fail</span>' in page
    assert '<span class="verdict pass">✓ pass</span>' in page
    assert "<script" not in page
