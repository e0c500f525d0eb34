"""Reports of speed: rows become sheets of lines, and sheets become sentences, tables and pictures."""
