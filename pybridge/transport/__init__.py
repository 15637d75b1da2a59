"""How bytes get there: a process with byte streams, carried by SSH or by a local command."""
