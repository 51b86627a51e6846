"""A folder to put on the path of Python processes."""
