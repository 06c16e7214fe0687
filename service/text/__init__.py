"""Text in: its sentences, their tokens, and which of them a summary takes."""
