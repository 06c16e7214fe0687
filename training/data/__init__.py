"""From articles with human summaries to labelled, encoded examples."""
