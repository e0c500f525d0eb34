"""Layers: parts that several variants share."""
