"""One training from its first step to its last: rate, averages, checkpoints, validation."""
