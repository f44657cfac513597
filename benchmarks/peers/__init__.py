"""Scripts that run a peer as it ships, each in the peer's own environment; they import nothing of ours."""
