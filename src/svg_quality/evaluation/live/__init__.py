"""Predictions that were served, beside what conversions gave later."""
