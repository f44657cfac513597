"""One file per family, reading like the papers; and what they have in common."""
