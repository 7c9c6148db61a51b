"""What portsup's own servers share: a port of the loopback address, who is answered there, and the token.

Everyone on the machine can connect to it, and so can each web page that this user opens. Leaf.
"""
