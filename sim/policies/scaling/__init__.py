"""The scaling role: how many instances, decided from metrics."""
