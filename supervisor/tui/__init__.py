"""`portsup top`: every instance in one terminal, by Textual, which is an optional extra.

It watches from outside, as the web page does, through `supervisor.monitor`; what it changes goes through the
control sockets. Names and output are foreign: they reach the screen through `safe_text` only.
"""
