"""Fitting a model: batches, losses, the loop, checkpoints."""
