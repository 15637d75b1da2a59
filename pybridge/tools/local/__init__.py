"""Files of this machine that OpenCode itself names to the model: its kept outputs, loaded skills."""
