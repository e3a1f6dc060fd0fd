"""Airgate beside its peers: the same work on both, on one machine, in ratios. Run by `make bench`."""
