"""What is shown of stored results: the comparison table and the figures."""
