"""Choosing a model for a series within a time that the user names."""
