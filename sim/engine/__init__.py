"""How a platform is run: every engine takes the same and returns the same."""
