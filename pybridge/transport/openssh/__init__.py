"""The carrier over the system's own `ssh` (REMOTE_TRANSPORT=openssh): one login, shared by all channels."""
