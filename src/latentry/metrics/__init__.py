"""How good generated pictures are: mathematics on features and points, and the protocol that every number carries."""
