"""The one loop: budgets, averages, checkpoints, run folders."""
