"""Everything that can be set, as frozen dataclasses; standard library only, so that the command line stays fast."""
