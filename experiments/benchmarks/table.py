"""The README's table of results, made from the committed JSON files; a test compares the two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def results_table() -> str:
    """Markdown: what was asked, what was reached, with what."""
    accuracy, conversion = _figures("accuracy"), _figures("conversion")
    features, startup = _figures("features"), _figures("startup")
    rows = [
        *_accuracy_rows(accuracy["regions"]),
        *_interval_rows(accuracy),
        *_learning_rows(_figures("generalisation"), _figures("training")),
        *_scoring_rows(_figures("scoring")),
        *_choice_rows(_figures("optimization")),
        *_serving_rows(_figures("serving")),
        (
            "logos that reach the feature store",
            "98%",
            f"{accuracy['share_that_reached_the_feature_store']:.1%}",
        ),
        (
            "measured conversions a minute at 256 px",
            "3,000, under 1 GB",
            f"{conversion['conversions_a_minute']:,}, {conversion['peak_memory_mb']:,} MB",
        ),
        (
            "feature extraction against eager torchvision: 8 bits (fp32)",
            "5 x",
            "{:.1f} x ({:.1f} x)".format(
                *(features[name]["batch"]["times_faster"] for name in ("int8", "fp32"))
            ),
        ),
        (
            "`svg-quality predict` / `--help`, whole process",
            "3 s / 0.5 s",
            f"{startup['predict_seconds_median']:.2f} s / {startup['help_seconds_median']:.2f} s",
        ),
        *_dataset_rows(_figures("dataset"), _figures("faults")),
    ]
    lines = ["| what | asked | reached |", "| --- | --- | --- |"]
    lines += [f"| {what} | {asked} | {reached} |" for what, asked, reached in rows]
    return "\n".join([*lines, "", _conditions(accuracy)])


def _accuracy_rows(regions: dict[str, Any]) -> list[tuple[str, str, str]]:
    full, everyday, colour = (regions[name] for name in ("full", "everyday", "everyday_colour"))
    return [
        ("SSIM, full region: Pearson", "0.95", _with_interval(full, "ssim", "pearson")),
        ("SSIM, everyday region: R²", "0.80", _with_interval(everyday, "ssim", "r2")),
        ("SSIM, everyday region in colour alone: R²", "0.80", _with_interval(colour, "ssim", "r2")),
        ("SSIM, everyday region: MAE over boosting's, same inputs", "0.85",
         _ratio(everyday, "gradient_boosting")),
        ("the same over boosting on plain statistics", "0.85",
         _ratio(everyday, "gradient_boosting_simple")),
        ("SSIM, full region: MAE over boosting's, same inputs", "no worse",
         _ratio(full, "gradient_boosting")),
        ("log bytes, everyday region: R²", "0.95", _with_interval(everyday, "log_bytes", "r2")),
    ]  # fmt: skip


def _interval_rows(accuracy: dict[str, Any]) -> list[tuple[str, str, str]]:
    full, everyday = (accuracy["regions"][name] for name in ("full", "everyday"))
    bands = accuracy["interval_90_by_band"]["full"]
    return [
        ("90% interval covers, full region", "88-92%", _coverage(full)),
        ("90% interval covers, everyday region", "88-92%", _coverage(everyday)),
        ("the same by band of SSIM: " + ", ".join(bands), "80% each",
         ", ".join(f"{band['coverage']:.0%}" for band in bands.values())),
        ("the worst twentieth of logos", "70%", f"{full['interval_90']['worst_twentieth']:.0%}"),
    ]  # fmt: skip


def _learning_rows(other: dict[str, Any], training: dict[str, Any]) -> list[tuple[str, str, str]]:
    regions, fit = other["regions"], training["training"]
    full, drop = regions["full"], other["drop"]
    fall = ", ".join(
        f"{regions[name]['ssim']['model']['r2']:.3f} ({drop[name]['ssim_r2']:+.3f})"
        for name in ("everyday", "everyday_colour")
    )
    batch = training["batches"]["array, prefetch 0"]["ms_p50"]
    return [
        (
            f"{other['held_out_logos']} logos of another source, skill-icons: everyday R², and in"
            " colour alone (against the held-out logos above)",
            "reported",
            fall,
        ),
        (
            "the same: full region Pearson, 90% interval covers",
            "reported",
            f"{full['ssim']['model']['pearson']:.3f}, {full['interval_90']['coverage']:.1%}",
        ),
        (
            f"training on 36,000 rows, {fit['epochs']} epochs",
            "90 s, 2 GB",
            f"{fit['seconds']:.0f} s, {fit['peak_memory_mb'] / 1000:.2f} GB",
        ),
        ("a batch of 256 rows for training", "5 ms", f"{batch:.2f} ms"),
    ]


def _scoring_rows(scoring: dict[str, Any]) -> list[tuple[str, str, str]]:
    taken = scoring["median_ms"]
    return [
        ("10,000 parameter sets of one image, features at hand", "150 ms",
         f"{taken['score_10000_sets']:.0f} ms"),
        ("an image never seen, with 1,000 sets (one conversion, rendered and compared)", "reported",
         f"{taken['image_and_1000_sets']:.0f} ms ({taken['one_conversion_measured']:.0f} ms)"),
        ("sets from which on predicting is cheaper than converting", "reported",
         f"{scoring['break_even_sets']:.0f}"),
    ]  # fmt: skip


def _choice_rows(optimization: dict[str, Any]) -> list[tuple[str, str, str]]:
    everyday, free = optimization["everyday"], optimization["free"]
    share, ends = everyday["share_of_oracle"], everyday["share_at_4_interval_95"]
    needed = everyday["conversions_to_equal_predictive_at_4"]["TPE among the pool"]
    low, high = ends["predictive"]
    four, unaided = free["verified_4"], free["adaptive_4"]
    others = ("random", "TPE among the pool", "adaptive")
    return [
        (
            f"smallest SVG at the default's SSIM, {optimization['logos']} held-out logos: share of "
            "the best of 256 that `predictive` saves with 4 conversions",
            "80%",
            f"{share['predictive']['4']:.0%} ({low:.0%}-{high:.0%})",
        ),
        (
            "the same with random sets / TPE / a fixed list (`adaptive`)",
            "less",
            " / ".join(f"{share[x]['4']:.0%}" for x in others),
        ),
        ("conversions that TPE needs to equal it", "20", f"{needed}"),
        (
            "free choice, 4 conversions: bytes of the default's (fixed list)",
            "reported",
            f"{four['bytes_over_default_mean']:.2f} x ({unaided['bytes_over_default_mean']:.2f} x)",
        ),
    ]


def _serving_rows(serving: dict[str, Any]) -> list[tuple[str, str, str]]:
    new, seen = (serving[f"{which}_image_ms"]["median"] for which in ("new", "seen"))
    load = f"API: {serving['clients']} clients for {serving['seconds']:g} s"
    return [
        ("API: an image never seen, with 1,000 sets (an image seen before), median", "150 ms",
         f"{new:.0f} ms ({seen:.0f} ms)"),
        (
            f"{load}: server errors, growth of memory from 10 s on",
            "none, flat",
            f"{serving['server_errors']}, {serving['memory_growth']:+.1%}",
        ),
        ("API: start to ready", "5 s", f"{serving['start_to_ready_s']:.1f} s"),
    ]  # fmt: skip


def _ratio(region: dict[str, Any], baseline: str) -> str:
    ssim = region["ssim"]
    compared = ssim[f"mae_less_{baseline}"]
    low, high = compared["interval_95"]
    return (
        f"{compared['ratio']:.3f}: {ssim['model']['mae']:.4f} / {ssim[baseline]['mae']:.4f}"
        f" (difference {low:+.4f} to {high:+.4f})"
    )


def _dataset_rows(dataset: dict[str, Any], faults: dict[str, Any]) -> list[tuple[str, str, str]]:
    small, large = (dataset["releases"][size] for size in ("10000", "1000000"))
    growth, batch = dataset["time_per_row_1_000_000_to_100_000"], large["batch_of_1024"]
    features, valid = dataset["features"], dataset["validation"]
    n_kills = faults["kills_per_stage"] * len(faults["stages"])
    n_broken = sum(len(stage["broken"]) for stage in faults["stages"].values())
    return [
        ("10,000 conversions: clean, split, release", "30 s", f"{small['seconds']:.1f} s"),
        (
            "1,000,000 conversions; time a row against 100,000",
            "under 2 GB, linear",
            f"{large['seconds']:.0f} s, {large['peak_rss_mib']:,} MiB, {growth:.2f} x",
        ),
        (
            "1,024 rows out of 1,000,000 (the first read of a process)",
            "10 ms",
            f"{batch['all_columns_anywhere_ms']:.1f} ms ({batch['first_of_a_process_ms']:.0f} ms)",
        ),
        ("feature store against the pixels", "half", f"{features['share_of_pixels']:.1%}"),
        ("rows of the demo that pass validation", "95%", f"{valid['share_valid']:.1%}"),
        (
            "SIGKILL in `convert`, `dataset`, `extract`: kills with a row lost or doubled",
            "none",
            f"{n_broken} of {n_kills}",
        ),
    ]


def _figures(name: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())["figures"]
    return figures


def _with_interval(region: dict[str, Any], target: str, metric: str) -> str:
    low, high = region[target]["model_interval_95"][metric]
    return f"{region[target]['model'][metric]:.3f} ({low:.3f}-{high:.3f})"


def _coverage(region: dict[str, Any]) -> str:
    low, high = region["interval_90"]["interval_95"]
    return f"{region['interval_90']['coverage']:.1%} ({low:.1%}-{high:.1%})"


def _conditions(accuracy: dict[str, Any]) -> str:
    result = json.loads((HERE / "accuracy.json").read_text())
    return (
        f"Accuracy: {accuracy['held_out_logos']} held-out logos, "
        f"{accuracy['held_out_rows']:,} conversions, 95% intervals from a bootstrap by logo; "
        f"trained on {accuracy['training_logos']:,} images and {accuracy['training_rows']:,} "
        f"conversions with a backbone of {accuracy['backbone_weights']} weights; commit "
        f"`{result['commit'][:10]}`, {result['machine']['cores']} cores of "
        f"{result['machine']['processor']}."
    )


if __name__ == "__main__":
    print(results_table())
