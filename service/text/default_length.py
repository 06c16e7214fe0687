"""How long a summary is when neither the caller nor the bundle says."""

DEFAULT_SENTENCE_COUNT = 3
"""Sentences."""
