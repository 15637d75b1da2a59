"""The JSON-RPC 2.0 peer the OpenCode shim talks to over stdio, and the wiring of its services."""
