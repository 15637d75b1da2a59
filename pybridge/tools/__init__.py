"""The seven tools: arguments, permission, action, result text."""
