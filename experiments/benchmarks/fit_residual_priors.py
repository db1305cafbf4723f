"""Under which constants the Production model's residuals on validation logos are likeliest.

80 logos of the validation split the model was trained beside, each converted with VTracer's
default and 256 Sobol sets of the everyday region (kept in data/). Residuals are measured less
predicted, of SSIM and of log bytes; each logo's are one draw of the process in
`svg_quality.optimization.residual`. Its constants are fitted by the marginal likelihood
(Rasmussen, Williams 2006, equation 2.30): Adam, each step on some sets of every logo. Writes
residual_priors.json: what was fitted beside what is shipped, and how likely either makes all
residuals. It changes nothing that is shipped.

Gradients need the process in torch. Before anything is written, its likelihood of a few logos must
be that of the shipped `posterior`, asked of one set after the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import torch
from oracle_pool import N_SETS, LogoPool, pool_of
from record import HERE, write_result
from scipy.stats import norm
from torch import Tensor

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.conversion.workers import WorkerPool
from svg_quality.dataset.logos import DEMO_SOURCE, read_excluded
from svg_quality.dataset.releases.release import read_release
from svg_quality.optimization.candidates import scored
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.residual import Points, ResidualPrior, posterior
from svg_quality.optimization.residual_priors import LENGTHS, LOG_BYTES_PRIOR, SSIM_PRIOR
from svg_quality.prediction.bundle import Bundle
from svg_quality.prediction.picture import Picture
from svg_quality.prediction.predictor import PRODUCTION, QualityPredictor
from svg_quality.tracking.resolve import resolve
from svg_quality.tracking.store import project_root

N_LOGOS: Final = 80
FILE: Final = "data/validation_pool.parquet"
N_STEPS: Final = 140
N_DRAWN: Final = 80  # sets of each logo in a step
N_CHECKED: Final = 2  # logos
_SEED: Final = 11  # of the draw of logos
_VARIANCES: Final = ("similar", "shared", "offset", "own")
_START: Final = (1.0, 0.0, -1.0, -6.0, -1.5)  # logit of the power, logs of `_VARIANCES`
_START_LENGTH: Final = 1.5  # log, in standard deviations of the input

Asked = dict[str, tuple[Path, list[Parameters]]]  # by logo: its file, the sets to convert


class Seen(NamedTuple):
    """What the process is told of one logo, or of several alike in number; float64."""

    inputs: Tensor  # (n, d)
    widths: Tensor  # (n,)
    residuals: Tensor  # (n,)


def main() -> None:
    torch.set_num_threads(1)
    root, predictor = project_root(), QualityPredictor()
    asked = asked_of(root, dataset := Bundle(resolve(PRODUCTION).path).manifest["dataset"])
    pools = validation_pools(root / FILE, asked)
    both = [seen(predictor.picture(asked[pool.name][0]), pool) for pool in pools]
    shipped = {"ssim": SSIM_PRIOR, "log_bytes": LOG_BYTES_PRIOR}
    about = {"model_version": predictor.model_version, "dataset": dataset, "logos": len(pools)}
    figures = {k: told([one[k] for one in both], prior) for k, prior in shipped.items()}
    write_result("residual_priors", {**about, "sets_each": N_SETS + 1, "steps": N_STEPS, **figures})


def asked_of(root: Path, dataset: Mapping[str, str]) -> Asked:
    """The drawn logos of the validation split."""
    release = read_release(root / "data" / "releases" / dataset["name"] / dataset["version"])
    rows = release.rows("validation").query("format != 'JPEG'")  # which are copies of others
    rows = rows.drop_duplicates("image_id").sort_values(["source", "image_path"])
    drawn = rows.iloc[sorted(np.random.default_rng(_SEED).permutation(len(rows))[:N_LOGOS])]
    held_out = read_excluded(HERE / "held_out_logos.txt")
    if {name.removeprefix(f"{DEMO_SOURCE}/") for name in drawn["source"]} & held_out:
        raise SystemExit("constants must not be fitted on held-out logos, some of these are")
    seeds = [int(x[:12], 16) for x in drawn["image_id"]]
    sets = [[Parameters(), *sobol_sets(N_SETS, "everyday", seed)] for seed in seeds]
    files = zip([root / "data" / "logos" / x for x in drawn["image_path"]], sets, strict=True)
    return dict(zip(drawn["source"], files, strict=True))


def validation_pools(file: Path, asked: Asked) -> list[LogoPool]:
    """Their measured sets: from the file of an earlier run, or converted now."""
    if not file.exists():
        converted(asked).to_parquet(file)
    logos = dict(list(pd.read_parquet(file).sort_values("k").groupby("logo")))
    if set(logos) != set(asked):
        raise SystemExit(f"{file} must hold the drawn validation logos, it holds others: delete it")
    return [pool_of(name, rows, asked[str(name)][1]) for name, rows in logos.items()]


def converted(asked: Asked) -> pd.DataFrame:
    """Every set of every logo, for real."""
    rows = []
    with WorkerPool(0, 60.0) as workers:
        for name, (path, sets) in asked.items():
            conversions = Conversions(Logo.read(path), workers, None, "predictive", len(sets))
            made = conversions.measure([(one, "front", None) for one in sets])
            for k, one in enumerate(made):
                about = {"logo": name, "path": str(path), "k": k, "error": one.error}
                rows.append(about | one.parameters.as_dict() | (one.measured or {}))
    return pd.DataFrame(rows)


def seen(picture: Picture, pool: LogoPool) -> dict[str, Seen]:
    """Of SSIM and of log bytes, as the method `predictive` sees them."""
    measured = dict(zip(pool.sets, pool.measured, strict=True))
    here = scored(picture, dict.fromkeys(measured, "front"))
    ssim, size = (np.array([measured[x][k] for x in here.sets]) for k in ("ssim", "svg_bytes"))
    off = {"ssim": ssim - here.scores.ssim, "log_bytes": np.log(size) - here.log_bytes}
    points = {"ssim": here.of_ssim, "log_bytes": here.of_log_bytes}
    arrays = {k: (points[k].inputs, points[k].widths, off[k]) for k in off}
    return {k: Seen(*map(torch.from_numpy, x)) for k, x in arrays.items()}


def told(logos: Sequence[Seen], shipped: ResidualPrior) -> dict[str, Any]:
    """Constants fitted to these residuals beside the shipped ones, and how likely each is."""
    both = {"fitted": fitted(logos), "shipped": shipped}
    for prior in both.values():
        for one in logos[:N_CHECKED]:
            check(prior, one)
    said = {which: [likelihood(prior, one) for one in logos] for which, prior in both.items()}
    more = np.subtract(said["fitted"], said["shipped"])
    return {
        "log_likelihood_per_point": {which: float(np.mean(x)) for which, x in said.items()},
        "fitted_minus_shipped": float(more.mean()),
        "standard_error_over_logos": float(more.std(ddof=1) / math.sqrt(len(more))),
        **{x: {k: float(getattr(v, x)) for k, v in both.items()} for x in ("power", *_VARIANCES)},
        "lengths": {
            x: {k: float(v.lengths[i]) for k, v in both.items()} for i, x in enumerate(LENGTHS)
        },
    }


def fitted(logos: Sequence[Seen]) -> ResidualPrior:
    """Adam on the marginal likelihood per set, all logos weighing the same."""
    apart = torch.cat([one.inputs for one in logos]).std(0)
    lengths = torch.where(apart < 1e-3, 1.0, apart).log() + _START_LENGTH
    raw = torch.cat([lengths, torch.tensor(_START, dtype=torch.float64)]).requires_grad_()
    adam, draws = torch.optim.Adam([raw], lr=0.05), torch.Generator().manual_seed(0)
    n = min(N_DRAWN, *(len(one.widths) for one in logos))
    for _ in range(N_STEPS):
        places = [torch.randperm(len(one.widths), generator=draws)[:n] for one in logos]
        some = [[x[at] for x in one] for one, at in zip(logos, places, strict=True)]
        loss = -log_likelihood(raw, Seen(*map(torch.stack, zip(*some, strict=True)))).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    done = raw.detach().exp()
    power = done[-5] / (1 + done[-5])
    return ResidualPrior(done[:-5].numpy(), float(power), *done[-4:].tolist())


def likelihood(prior: ResidualPrior, logo: Seen) -> float:
    """Log marginal likelihood per set of all of a logo's residuals."""
    done = [prior.power / (1 - prior.power), *(getattr(prior, x) for x in _VARIANCES)]
    return float(log_likelihood(torch.from_numpy(np.log([*prior.lengths, *done])), logo))


def log_likelihood(raw: Tensor, logos: Seen) -> Tensor:
    """Per set, for each logo; ``raw`` are logs of the lengths, then as `_START`."""
    power, (similar, shared, offset, own) = torch.sigmoid(raw[-5]), raw[-4:].exp()
    a, scale = logos.inputs / raw[:-5].exp(), logos.widths**power
    squared = a.square().sum(-1)
    apart = squared[..., :, None] + squared[..., None, :] - 2 * a @ a.mT
    r = torch.sqrt(5 * apart.clamp_min(0) + 1e-12)  # where 0 the root has no gradient
    alike = similar * (1 + r + r**2 / 3) * torch.exp(-r) + shared
    covariance = scale[..., :, None] * scale[..., None, :] * alike + offset
    factor = torch.linalg.cholesky(covariance + torch.diag_embed(own * scale**2))
    white = torch.linalg.solve_triangular(factor, logos.residuals[..., None], upper=False)[..., 0]
    logs = torch.diagonal(factor, dim1=-2, dim2=-1).log()
    return -(white.square() / 2 + logs).mean(-1) - math.log(2 * math.pi) / 2


def check(prior: ResidualPrior, logo: Seen) -> None:
    """The process here must be the shipped one: likely is each set given those before it."""
    inputs, widths, residuals = (x.numpy() for x in logo)
    points, k = Points(inputs, widths), np.arange(len(widths))
    each = [posterior(prior, points.at(k[[i]]), points.at(k[:i]), residuals[:i]) for i in k]
    mean, sd = np.array(each)[..., 0].T
    shipped, here = float(norm.logpdf(residuals, mean, sd).mean()), likelihood(prior, logo)
    if not math.isclose(shipped, here, abs_tol=1e-6):
        raise SystemExit(f"the process must be the shipped one: {here} per set, not {shipped}")


if __name__ == "__main__":
    main()
