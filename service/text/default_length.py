"""How long a summary is when nobody says; light enough for the help of a command."""

DEFAULT_SENTENCE_COUNT = 3
"""Sentences."""
