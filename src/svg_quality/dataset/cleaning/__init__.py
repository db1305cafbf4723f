"""Which rows can be learned from, which look wrong, and whether labels can be made again."""
