"""One reachable machine: probe, persistent shells, commands, files, search."""
