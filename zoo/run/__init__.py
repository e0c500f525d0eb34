"""Runs: worker processes, the executor that feeds them, and the rows and predictions that they leave."""
