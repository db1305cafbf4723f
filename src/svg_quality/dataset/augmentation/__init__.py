"""Filling what is under-represented: selection, more real logos, synthetic ones."""
