"""Choosing a logo's parameters: rules, search, refinement and prediction, under one contract."""
