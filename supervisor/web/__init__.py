"""The API server: what runs on this machine, over HTTP on the loopback address; with a token, more.

A client of the control sockets like any command, in a process of its own: it can die and come back
without a supervisor noticing. It needs the extra `web` (starlette, uvicorn, httpx), so nothing outside
this folder imports it before `portsup serve` does.
"""
