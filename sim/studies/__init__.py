"""Runs that are no plain comparison: each has its own table and figures."""
