"""Throughput: what a training or inference step of each variant costs on this device, and why."""
