"""What everyone who watches instances from outside shares: the web page, the metrics, `portsup top`, agents.

A client of the control sockets, and a reader of what lies beside them: records, logs and the kernel's own
tables. No supervisor knows of it. Its functions block: call them in a thread where there is an event loop.
"""
