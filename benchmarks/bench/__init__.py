"""What the benchmarks share: measuring, and the rivals."""
