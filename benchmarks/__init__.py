"""Speed beside the peers and beside the roofline; run by command, never in the tests."""
