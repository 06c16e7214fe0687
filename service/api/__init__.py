"""The REST API: one application, its settings, what it says about itself."""
