"""Benchmarks for asv: one file a stage."""
