"""An embedded SSH server, a sample project and a scripted job: the tools at work on a bare machine."""
