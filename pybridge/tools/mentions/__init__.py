"""@file and @folder in what the user types: read from the remote, put where OpenCode puts what it reads here."""
