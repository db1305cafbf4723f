"""Whether memory stays where it is over many calls.

Four witnesses, since none sees everything: tensors made meanwhile that Python still holds (found
by weak references: to ask the garbage collector for all objects breaks the tuples that other
threads are just building); the pieces of the autograd graph that are still held (the graph itself
lives outside of Python); what Python allocated; and the resident memory of the process, in which
the allocator's own noise drowns all but gross leaks.
"""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psutil
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from svg_quality.model.modes import mode
from svg_quality.model.validation.checks import Check, check
from svg_quality.model.validation.examples import Example, named_outputs

MAX_BYTES_PER_CALL: Final = 1024  # of Python's own, on average
MAX_RESIDENT: Final = 64e6, 0.05  # bytes, and share of what was there
_AREA: Final = "memory"


@dataclass(frozen=True, slots=True)
class Growth:
    """What grew between the end of the warm-up and the last call."""

    n_calls: int
    tensors: int
    graph_pieces: int
    python_bytes: int
    resident_bytes: int
    resident_before: int


class _Piece:
    """Holds what the graph saved for its way back; detached, else an output would hold itself."""

    def __init__(self, value: Tensor) -> None:
        self.value = value.detach()


class _TensorsMade(TorchFunctionMode):
    """Knows which of the tensors that were made inside it are still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        self.alive.update({id(x): x for x in tree_leaves(made) if isinstance(x, Tensor)})
        return made


def memory_growth(
    model: nn.Module,
    example: Example,
    n_calls: int,
    resident: Callable[[], int] = lambda: psutil.Process().memory_info().rss,
) -> Growth:
    """Call a network again and again, with gradients as a training does, and drop what it says.

    Args:
        model: in evaluation mode while it is called.
        example: one row of it.
        n_calls: for the tensors alone first, which also warms up, and again for the rest.
        resident: bytes of the process.
    """
    inputs = example.inputs(1)
    pieces: weakref.WeakSet[_Piece] = weakref.WeakSet()

    def pack(value: Tensor) -> _Piece:
        piece = _Piece(value)
        pieces.add(piece)
        return piece

    def call(n: int) -> None:
        for _ in range(n):
            named_outputs(model(*inputs))

    ours = not tracemalloc.is_tracing()
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda piece: piece.value)
    with mode(model, training=False), torch.enable_grad(), hooks:
        with _TensorsMade() as made:  # apart: it takes memory of its own
            call(5)
            tensors_before = len(made.alive)
            call(n_calls)
            tensors = len(made.alive) - tensors_before
        if ours:
            tracemalloc.start()
        try:
            call(3)  # what tracemalloc itself brings along
            before = _state(pieces, resident)
            call(n_calls)
            after = _state(pieces, resident)
        finally:
            if ours:
                tracemalloc.stop()
    graph, python, memory = (b - a for a, b in zip(before, after, strict=True))
    return Growth(n_calls, tensors, graph, python, memory, before[2])


def memory_checks(growth: Growth) -> list[Check]:
    """A check for each witness."""
    n = growth.n_calls
    least, share = MAX_RESIDENT
    allowed = max(least, share * growth.resident_before)
    per_call = growth.python_bytes / n
    return [
        check(_AREA, "tensors alive", growth.tensors <= 0,
              f"{growth.tensors:+d} after {n} calls", "no more than before"),
        check(_AREA, "graphs held", growth.graph_pieces <= 0,
              f"{growth.graph_pieces:+d} saved tensors after {n} calls", "no more than before"),
        check(_AREA, "Python's memory", per_call <= MAX_BYTES_PER_CALL,
              f"{per_call:+.0f} bytes a call over {n} calls", f"at most {MAX_BYTES_PER_CALL}"),
        check(_AREA, "memory of the process", growth.resident_bytes <= allowed,
              f"{growth.resident_bytes / 1e6:+.1f} MB after {n} calls",
              f"at most {allowed / 1e6:.0f} MB"),
    ]  # fmt: skip


def _state(pieces: weakref.WeakSet[_Piece], resident: Callable[[], int]) -> tuple[int, int, int]:
    gc.collect()
    return len(pieces), tracemalloc.get_traced_memory()[0], resident()
