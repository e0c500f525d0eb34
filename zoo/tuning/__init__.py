"""Tuning: every variant searched on an equal budget; the only room that imports optuna."""
