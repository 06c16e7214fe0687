"""Pattern mining: which heads matter, and what each of them looks at."""
