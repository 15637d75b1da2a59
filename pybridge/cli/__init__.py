"""The `pybridge` command: argument parsing and printing only."""
