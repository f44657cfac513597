"""Results by command, with the logs of the runs that were made."""
