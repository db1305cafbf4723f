"""From a release to a trained, measured and exported model."""
