"""Offline: from articles to a fitted student."""
