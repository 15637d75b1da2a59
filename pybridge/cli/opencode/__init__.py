"""Everything that is known about starting OpenCode on this machine."""
