"""The registered model, loaded and asked; needs neither torch nor torchvision."""
