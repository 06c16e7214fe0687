"""Ablations: many small models that differ in one thing each, measured on the same documents."""
