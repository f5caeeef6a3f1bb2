"""What runs outside the server and talks to it: in the user's kernel, and for the command line.

The law: it is another process. It knows no room of the server, and imports nothing heavy before it is used.
"""
