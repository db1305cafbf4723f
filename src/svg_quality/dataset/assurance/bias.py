"""The bias section of a report: what the dataset shows too much or too little of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from svg_quality.dataset.assurance.qa_checks import Check, Checker, Finding
from svg_quality.dataset.splits.split import SPLITS, quality_bands
from svg_quality.dataset.targets import SSIM_EDGES, TYPE_SHARES, ssim_cells

MIN_CELL: Final = 0.01  # share of rows from which an SSIM cell counts as covered
HELD_OUT: Final = tuple(split for split in SPLITS if split != "train")
NO_MODEL: Final = "no model yet"


def bias_checks(
    checker: Checker,
    conversions: pd.DataFrame,
    errors_by_type: Mapping[str, float] | None = None,
    model: str = "",
) -> list[Check]:
    """Balance of types, qualities and sources; errors by type where a model exists.

    Args:
        checker: with the limits of the section.
        conversions: with ``image_id``, ``split``, ``logo_type``, ``logo_type_estimated``,
            ``synthetic``, ``source``, ``ssim``.
        errors_by_type: mean absolute SSIM error of a model by logo type; None without a model.
        model: which one, for the note.
    """
    images = conversions.drop_duplicates("image_id").set_index("image_id")
    ssim = conversions["ssim"].dropna()
    bands = quality_bands(ssim).map(lambda band: f"quality band {band}")
    return [
        _types(checker, conversions["logo_type"]),
        _coverage(checker, ssim),
        _splits(checker, "quality_imbalance_of_splits", bands, conversions["split"][ssim.index]),
        _splits(
            checker, "type_imbalance_of_splits", conversions["logo_type"], conversions["split"]
        ),
        _sources(checker, images["source"]),
        _share(checker, "estimated_types", images["logo_type_estimated"], "type is estimated"),
        _share(
            checker,
            "synthetic_rows",
            conversions.set_index("image_id")["synthetic"],
            "is synthetic",
        ),
        checker.count(
            "synthetic_held_out",
            [
                Finding(str(image_id), f"is synthetic and in {split}")
                for image_id, split in images.loc[images["synthetic"].eq(True), "split"].items()
                if split in HELD_OUT
            ],
        ),
        _errors(checker, errors_by_type, model),
    ]


def _types(checker: Checker, types: pd.Series[str]) -> Check:
    shares = types.value_counts(normalize=True)
    apart = {name: float(shares.get(name, 0.0)) - goal for name, goal in TYPE_SHARES.items()}
    limit = checker.limit("type_imbalance").at_most
    findings = [
        Finding(name, f"{TYPE_SHARES[name] + distance:.1%} of the rows, target"
                f" {TYPE_SHARES[name]:.0%}")
        for name, distance in apart.items()
        if limit is None or abs(distance) > limit
    ]  # fmt: skip
    largest = max(abs(distance) for distance in apart.values()) if len(types) else None
    return checker.check("type_imbalance", largest, findings)


def _coverage(checker: Checker, ssim: pd.Series[float]) -> Check:
    n_cells = len(SSIM_EDGES) - 1
    shares = ssim_cells(ssim).value_counts(normalize=True)
    thin = [cell for cell in range(n_cells) if shares.get(cell, 0.0) < MIN_CELL]
    findings = [
        Finding(f"SSIM {SSIM_EDGES[cell]:g} to {SSIM_EDGES[cell + 1]:g}",
                f"{float(shares.get(cell, 0.0)):.1%} of the rows")
        for cell in thin
    ]  # fmt: skip
    return checker.check("ssim_coverage", 1 - len(thin) / n_cells if len(ssim) else None, findings)


def _splits(checker: Checker, name: str, values: pd.Series[str], split: pd.Series[str]) -> Check:
    """Total variation distance of each held-out split from train: half the sum of differences."""
    shares = pd.crosstab(split, values, normalize="index")
    held_out = [other for other in HELD_OUT if other in shares.index]
    if "train" not in shares.index or not held_out:
        return checker.check(name, None, note="there is no training split, or nothing beside it")
    apart = (shares.loc[held_out] - shares.loc["train"]).abs()
    distance = apart.sum(axis=1) / 2
    limit = checker.limit(name).at_most
    findings = []
    for other in held_out:
        if limit is None or distance[other] > limit:
            worst = str(apart.loc[other].idxmax())
            own, train = shares[worst][other], shares[worst]["train"]
            findings.append(Finding(other, f"{own:.1%} of {worst}, train {train:.1%}"))
    each = ", ".join(f"{other} {distance[other]:.2f}" for other in held_out)
    return checker.check(name, float(distance.max()), findings, note=each)


def _sources(checker: Checker, sources: pd.Series[str]) -> Check:
    """A collection is the first part of ``source``: the folder or log that pictures came from."""
    shares = sources.str.split("/", n=1).str[0].value_counts(normalize=True)
    if shares.empty:
        return checker.check("largest_source", None)
    limit = checker.limit("largest_source").at_most
    findings = [
        Finding(str(name), f"{share:.1%} of the images")
        for name, share in shares.items()
        if limit is None or share > limit
    ]
    return checker.check("largest_source", float(shares.iloc[0]), findings)


def _errors(checker: Checker, errors: Mapping[str, float] | None, model: str) -> Check:
    name = "error_ratio_of_types"
    if not errors:
        return checker.check(name, None, note=NO_MODEL)
    if len(errors) < 2 or min(errors.values()) <= 0:
        return checker.check(
            name, None, note=f"too few logo types to compare; {model}".rstrip("; ")
        )
    ordered = sorted(errors.items(), key=lambda item: -item[1])
    ratio = ordered[0][1] / ordered[-1][1]
    each = ", ".join(f"{logo_type} {error:.4f}" for logo_type, error in ordered)
    missed = checker.limit(name).outcome(ratio) != "pass"
    worst = Finding(ordered[0][0], f"SSIM error {ordered[0][1]:.4f}, best {ordered[-1][1]:.4f}")
    return checker.check(name, ratio, [worst] if missed else [], f"{each}; {model}".rstrip("; "))


def _share(checker: Checker, name: str, values: pd.Series[bool], fact: str) -> Check:
    """The share of values that are true; where it misses its limit, the images that make it."""
    share = float(values.mean()) if len(values) else None
    missed = checker.limit(name).outcome(share) not in ("pass", "not measured")
    named = dict.fromkeys(values.index[values.eq(True)]) if missed else {}
    return checker.check(name, share, [Finding(str(image_id), fact) for image_id in named])
