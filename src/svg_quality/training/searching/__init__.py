"""Optuna studies over the settings of `train`."""
