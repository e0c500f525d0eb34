"""Training: fit, evaluate, FitConfig; saving and loading a model."""
