"""Mining: which heads matter, which patterns they carry, and what a person decided about them."""
