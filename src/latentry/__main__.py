"""`python -m latentry` is the command `latentry`; so `torchrun -m latentry` works too."""

from latentry.cli import main

if __name__ == "__main__":
    main()
