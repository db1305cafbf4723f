"""Where the time of a pass goes, and what a second thread is worth."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Final

import torch
from torch import nn

from svg_quality.model.modes import mode
from svg_quality.model.summary import layers_of
from svg_quality.model.validation.checks import Check, check
from svg_quality.model.validation.examples import Example, Inputs

SLOWER: Final = 1.5  # many threads over one, beyond which a warning is given
_AREA: Final = "time"
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Median time of one layer in a pass; a layer is a module that holds no other."""

    name: str
    kind: str
    ms: float
    share: float  # of the whole pass


@dataclass(frozen=True, slots=True)
class ThreadTimes:
    """Median time of a pass, s, of passes that took turns."""

    one: float
    many: float
    n_threads: int

    @property
    def ratio(self) -> float:
        """Many threads over one: under 1 they help."""
        return self.many / self.one


def layer_times(
    model: nn.Module, inputs: Inputs, clock: Clock = perf_counter, n_passes: int = 15
) -> list[LayerTime]:
    """Time of each layer, the slowest first; what is between the layers comes as ``(between)``."""
    leaves = layers_of(model)
    spent: dict[str, float] = defaultdict(float)
    passes: list[dict[str, float]] = []
    began: dict[str, float] = {}

    def before(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(module: nn.Module, arguments: Any) -> None:
            began[name] = clock()

        return hook

    def after(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, arguments: Any, said: Any) -> None:
            spent[name] += clock() - began[name]

        return hook

    hooks = [leaf.register_forward_pre_hook(before(name)) for name, leaf in leaves.items()]
    hooks += [leaf.register_forward_hook(after(name)) for name, leaf in leaves.items()]
    try:
        with mode(model, training=False), torch.no_grad():
            model(*inputs)
            for _ in range(n_passes):
                spent.clear()
                start = clock()
                model(*inputs)
                total = clock() - start
                passes.append({**spent, "": total, "(between)": total - sum(spent.values())})
    finally:
        for hook in hooks:
            hook.remove()
    whole = median(one[""] for one in passes)
    kinds = {name: type(leaf).__name__ for name, leaf in leaves.items()} | {"(between)": ""}
    called = {name for one in passes for name in one if name}
    times = {name: median(one.get(name, 0.0) for one in passes) for name in called}
    return [
        LayerTime(name, kinds[name], 1e3 * seconds, seconds / whole if whole else 0.0)
        for name, seconds in sorted(times.items(), key=lambda item: -item[1])
    ]


def thread_times(
    model: nn.Module,
    inputs: Inputs,
    n_threads: int | None = None,
    clock: Clock = perf_counter,
    n_passes: int = 15,
) -> ThreadTimes:
    """Passes on one thread and on many in turns, so that a busy machine slows both.

    torch's number of threads is restored.
    """
    many = n_threads or os.cpu_count() or 1
    taken: dict[int, list[float]] = {1: [], many: []}
    with mode(model, training=False), torch.no_grad(), _threads_restored():
        model(*inputs)
        for _ in range(n_passes):
            for n in taken:
                torch.set_num_threads(n)
                start = clock()
                model(*inputs)
                taken[n].append(clock() - start)
    return ThreadTimes(median(taken[1]), median(taken[many]), many)


def time_checks(layers: list[LayerTime], threads: ThreadTimes, example: Example) -> list[Check]:
    """The slowest layer, for information, and whether more threads do harm."""
    slowest = next((layer for layer in layers if layer.kind), None)
    fact = f"a pass of {example.n_timed} rows takes {1e3 * threads.one:.3g} ms on one thread"
    if slowest is not None:
        fact += f"; the slowest layer, {slowest.name}, {100 * slowest.share:.0f}% of it"
    ratio = (
        f"{threads.n_threads} threads take {threads.ratio:.2f} times as long as one"
        f" ({1e3 * threads.many:.3g} against {1e3 * threads.one:.3g} ms)"
    )
    return [
        Check(_AREA, "of a pass", "pass", fact, "told, not judged"),
        check(_AREA, "one thread and many", threads.ratio <= SLOWER, ratio,
              f"at most {SLOWER:g} times, else use one", miss="warn"),
    ]  # fmt: skip


@contextmanager
def _threads_restored() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
