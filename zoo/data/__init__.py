"""Data: sources -> Table -> cleaning -> split -> scaling -> Windows."""
