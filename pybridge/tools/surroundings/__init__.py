"""What OpenCode tells the model about where it works, with the remote in the place of the local machine."""
