"""What a network says to inputs it was not made for.

Zeros, ones, noise and inputs a thousand times too large must give outputs that are finite and
in range. To an input that is not a number the answer must not be one either: NaN in, NaN out (or
a refusal) of every output that reads that input, and no other row may notice. An infinite input
is answered as a very large one: to refuse it is up to what makes the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from svg_quality.errors import SvgQualityError
from svg_quality.model.validation.checks import Check, check
from svg_quality.model.validation.examples import Example, Inputs, out_of_range, predict

FAR: Final = 1e3  # times the example's inputs
_N_ROWS: Final = 4
_ROW: Final = 2  # the one that is corrupted
_MAX_PLACES: Final = 128  # of an input that are corrupted one by one
_FEW_PLACES: Final = 4  # at random, of an input that is larger than this
_LARGE: Final = 10_000
_AREA: Final = "inputs"


def odd_input_checks(model: nn.Module, example: Example, seed: int) -> list[Check]:
    """All checks of this file; the network stays as it is."""
    inputs = example.inputs(_N_ROWS)
    generator = torch.Generator().manual_seed(seed)
    odd = {
        "zeros": tuple(torch.zeros_like(values) for values in inputs),
        "ones": tuple(torch.ones_like(values) for values in inputs),
        "noise": tuple(torch.randn(values.shape, generator=generator) for values in inputs),
        f"{FAR:g} times too large": tuple(FAR * values for values in inputs),
    }
    checks = []
    for name, values in odd.items():
        wrong = out_of_range(predict(model, values), example.ranges)
        checks.append(check(_AREA, name, not wrong, "; ".join(wrong) or "finite and in range",
                            "outputs are finite and in range"))  # fmt: skip
    checks += [_whole_row(model, inputs, place) for place in range(len(inputs))]
    checks += [_single_places(model, inputs, place, generator) for place in range(len(inputs))]
    checks += [_infinite(model, inputs, place) for place in range(len(inputs))]
    return checks


def refusal_check(name: str, act: Callable[[], object]) -> Check:
    """Whether something that must not be answered is refused with an error of this project."""
    law = "refused with a sentence"
    try:
        said = act()
    except SvgQualityError as error:
        return Check(_AREA, name, "pass", f"refused: {error}", law)
    return Check(_AREA, name, "fail", f"answered with {type(said).__name__}", law)


def _whole_row(model: nn.Module, inputs: Inputs, place: int) -> Check:
    """NaN in all of a row: none of its outputs is a number, the other rows stay as they were."""
    before = predict(model, inputs)
    said = _said(model, _with(inputs, place, math.nan))
    law = "no number comes out of that row, and no other row changes"
    name = f"NaN, a whole row of input {place}"
    if said is None:
        return Check(_AREA, name, "pass", "refused", law)
    others = [row for row in range(_N_ROWS) if row != _ROW]
    reading = _reading(model, inputs, place, before)
    answered = [name for name in reading if torch.isfinite(said[name][_ROW]).any()]
    touched = [name for name, value in said.items()
               if not torch.equal(value[others], before[name][others])]  # fmt: skip
    wrong = [f"{name} answers with a number" for name in answered]
    wrong += [f"{name} changes in other rows" for name in touched]
    return check(_AREA, name, not wrong, "; ".join(wrong) or "NaN, in that row alone", law)


def _single_places(
    model: nn.Module, inputs: Inputs, place: int, generator: torch.Generator
) -> Check:
    """NaN in one place of a row. A warning only: what is never read cannot be noticed."""
    size = inputs[place][0].numel()
    places = torch.arange(size)
    if size > _MAX_PLACES:
        n = _MAX_PLACES if size <= _LARGE else _FEW_PLACES
        places = torch.randperm(size, generator=generator)[:n].sort().values
    rows = _repeated(inputs, len(places))
    corrupted = rows[place].flatten(1)
    corrupted[torch.arange(len(places)), places] = math.nan
    rows = (*rows[:place], corrupted.view_as(rows[place]), *rows[place + 1 :])
    said = _said(model, rows)
    law = "no number comes out, wherever the NaN is"
    name = f"NaN, one place of input {place}"
    if said is None:
        return Check(_AREA, name, "pass", "refused", law)
    reading = _reading(model, inputs, place, predict(model, inputs))
    numbers = [torch.isfinite(said[name]).view(len(places), -1).any(1) for name in reading]
    answered = torch.stack(numbers).any(0)
    deaf = places[answered].tolist()
    fact = f"of {len(places)} places tried, {len(deaf)} are not noticed"
    if deaf:
        fact += f" (such as {', '.join(map(str, deaf[:8]))}): they are never read"
    return check(_AREA, name, not deaf, fact, law, miss="warn")


def _reading(model: nn.Module, inputs: Inputs, place: int, before: dict[str, Tensor]) -> list[str]:
    """Outputs that another value of the input moves; all of them where none is moved."""
    other = predict(model, _with(inputs, place, 0.5))
    moved = [name for name in before if not torch.equal(other[name][_ROW], before[name][_ROW])]
    return moved or list(before)


def _infinite(model: nn.Module, inputs: Inputs, place: int) -> Check:
    said = _said(model, _with(inputs, place, math.inf))
    law = "told, not judged: inputs are refused where they are made"
    name = f"infinite, a whole row of input {place}"
    if said is None:
        return Check(_AREA, name, "pass", "refused", law)
    numbers = [key for key, value in said.items() if torch.isfinite(value[_ROW]).all()]
    fact = f"answered as a very large input: {', '.join(numbers)}" if numbers else "NaN"
    return Check(_AREA, name, "pass", fact, law)


def _said(model: nn.Module, inputs: Inputs) -> dict[str, Tensor] | None:
    """Outputs, or None where the network refuses."""
    try:
        return predict(model, inputs)
    except (SvgQualityError, ValueError):
        return None


def _with(inputs: Inputs, place: int, value: float) -> Inputs:
    corrupted = inputs[place].clone()
    corrupted[_ROW] = value
    return (*inputs[:place], corrupted, *inputs[place + 1 :])


def _repeated(inputs: Inputs, n: int) -> Inputs:
    """The first row, ``n`` times."""
    return tuple(values[:1].repeat(n, *(1 for _ in values.shape[1:])) for values in inputs)
