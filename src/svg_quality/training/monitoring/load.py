"""What the machine and this process use at a moment: processor, memory, GPU memory."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """One reading; percentages of the whole machine but for ``process_cpu_percent``."""

    cpu_percent: float  # of all cores, since the reading before
    process_cpu_percent: float  # 100 is one core
    memory_percent: float
    process_mb: float  # resident, 10^6 bytes
    gpu_mb: float | None = None  # in use on the GPU by everybody; None where there is none
    gpu_percent: float | None = None


class LoadMeter:
    """Takes readings; processor shares count from the reading before."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._has_gpu = torch.cuda.is_available()
        psutil.cpu_percent()  # the first of either has nothing to count from
        self._process.cpu_percent()

    def __call__(self) -> Load:
        """A reading, in about 0.2 ms."""
        gpu_mb = gpu_percent = None
        if self._has_gpu:
            free, total = torch.cuda.mem_get_info()
            gpu_mb, gpu_percent = (total - free) / _MB, 100 * (total - free) / total
        with self._process.oneshot():
            return Load(
                cpu_percent=psutil.cpu_percent(),
                process_cpu_percent=self._process.cpu_percent(),
                memory_percent=psutil.virtual_memory().percent,
                process_mb=self._process.memory_info().rss / _MB,
                gpu_mb=gpu_mb,
                gpu_percent=gpu_percent,
            )


def machine() -> dict[str, str | int | float | None]:
    """What does not change while a session lasts."""
    return {
        "n_cores": psutil.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / _MB),
        "n_threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
