"""The front door for people: the same steps by hand."""
