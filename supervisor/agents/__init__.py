"""The server for coding agents: what they may ask and do, over the Model Context Protocol.

A client of the control sockets like any command; what changes an instance runs the commands themselves. It
needs the extra `mcp`, so nothing outside this folder imports it before `portsup mcp` does.
"""
