"""MLflow: runs, the model registry, and MLflow Projects."""
