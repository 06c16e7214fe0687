"""The models: token encoder with attention patterns, and sentence scorer."""
