"""The lifecycle of instances as OpenTelemetry traces, told by whoever watches: no supervisor knows of it."""
