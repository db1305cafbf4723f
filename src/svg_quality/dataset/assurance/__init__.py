"""Quality, safety, privacy and bias of a release, against thresholds."""
