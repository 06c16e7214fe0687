"""The explorer: a local web page in which a person looks into a model and decides what they see."""
