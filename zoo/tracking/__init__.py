"""Tracking: runs go to the tracker that a team already has; each kind of tracker is one file here."""
