"""A head, or backbone and head together, as a TorchScript file: for programs that run libtorch.

Torch calls TorchScript deprecated and gives no date for its end; its own successor, a
``torch.export`` archive, is not read by every libtorch in use.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from svg_quality.features.preprocessing import INPUT_SIZE
from svg_quality.model.quality_head import Prediction, QualityHead


class PictureModel(nn.Module):
    """Backbone and head in one.

    Shape:
        - images: ``(B, 3, 224, 224)``, or ``(1, 3, 224, 224)`` for many sets of one image
        - tabular: ``(B, d_tabular)``; outputs: `Prediction`.
    """

    def __init__(self, extractor: nn.Module, head: QualityHead) -> None:
        super().__init__()
        self.extractor, self.head = extractor, head

    def forward(self, images: Tensor, tabular: Tensor) -> Prediction:
        """See the class."""
        said: Prediction = self.head(self.extractor(images), tabular)
        return said


def script_head(head: QualityHead, path: Path) -> None:
    """Write ``(features, tabular)`` to the four outputs of `Prediction`, a tuple."""
    _write(head, (torch.zeros(1, head.config.d_features), _sets(head)), path)


def script_pictures(model: PictureModel, path: Path) -> None:
    """Write ``(images, tabular)`` to the four outputs of `Prediction`, a tuple."""
    images = torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE)
    _write(model, (images, _sets(model.head)), path)


def load_script(path: Path) -> torch.jit.ScriptModule:
    """A file of these, ready for calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")
    return loaded


def _sets(head: QualityHead) -> Tensor:
    return torch.zeros(2, head.config.d_tabular)


def _write(model: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    model.eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Whether it says the same for other batches is checked from the file (`check`).
        traced = torch.jit.trace(model, inputs, check_trace=False)
        torch.jit.freeze(traced).save(str(path))  # folds batch norms: under 100 MB, if barely
