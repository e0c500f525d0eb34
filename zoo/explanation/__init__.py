"""Explanations: which inputs of a fitted model its forecasts rest on, by methods that can be compared."""
