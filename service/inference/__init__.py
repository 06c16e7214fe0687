"""A verified bundle, the engine that runs its model, and the way from text to summary."""
