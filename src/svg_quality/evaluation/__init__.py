"""How good the predictions are, beside the baselines, in numbers and on one page."""
