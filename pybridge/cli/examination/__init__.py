"""What `pybridge doctor` looks at, one thing after the other."""
