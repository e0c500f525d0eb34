"""Benchmarks: executors and the worker, accuracy, rows (a JSONL store)."""
