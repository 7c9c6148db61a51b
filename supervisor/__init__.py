"""portsup: N copies of one stack of services side by side, and never two of them on one port."""

__version__ = "0.1.0"
