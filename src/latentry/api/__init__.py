"""What the Python functions and the command line share: one function for each verb, composed of the other packages."""
