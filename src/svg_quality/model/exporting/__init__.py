"""A model as files for other programs, shown to say the same."""
