"""ONNX graphs, run by ONNX Runtime: the only module that runs one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from svg_quality.errors import ModelError

_LOAD_ERRORS = (  # they share no base class but Exception
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NoSuchFile,
    states.NotImplemented,
    states.RuntimeException,
)
_RUN_ERRORS = (states.Fail, states.InvalidArgument, states.RuntimeException)
# What the arena's allocator and C++ itself say; the status code is the same as of any failure.
_NO_MEMORY: Final = re.compile(r"Failed to allocate memory|bad[_ ]alloc", re.IGNORECASE)


class OnnxGraph:
    """One loaded ONNX file.

    Args:
        path: of the file.
        n_threads: that one call may use; 0 leaves it to ONNX Runtime.

    Raises:
        ModelError: the file is missing or no valid graph.
    """

    def __init__(self, path: Path, n_threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        # Threads that wait in a loop take the core from what is computed beside.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        if not path.is_file():
            raise ModelError(f"an ONNX graph must exist, {path} does not")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except _LOAD_ERRORS as error:
            raise ModelError(f"an ONNX graph must load, {path} does not: {error}") from error
        self.path = path
        self.outputs = tuple(output.name for output in self._session.get_outputs())
        ends = (*self._session.get_inputs(), *self._session.get_outputs())
        self.shapes = {end.name: tuple(end.shape) for end in ends}  # a free dimension by its name

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run the graph on named float32 arrays; gives its outputs by name.

        Raises:
            MemoryError: there is too little memory for so large a batch.
            ModelError: the graph cannot be run on these inputs.
        """
        try:
            said = self._session.run(None, inputs)
        except _RUN_ERRORS as error:
            if _NO_MEMORY.search(str(error)):
                shapes = ", ".join(f"{name} {value.shape}" for name, value in inputs.items())
                raise MemoryError(f"too little memory to run {self.path} on {shapes}") from error
            raise ModelError(f"an ONNX graph must run, {self.path} does not: {error}") from error
        return dict(zip(self.outputs, said, strict=True))
