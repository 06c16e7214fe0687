"""Measuring a summarizer: ROUGE with intervals, and how faithful its explanations are."""
