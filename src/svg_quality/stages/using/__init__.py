"""What a model is for: predictions, parameter choice, the service, promotion."""
