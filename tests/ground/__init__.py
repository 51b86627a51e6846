"""The ground: what the database itself keeps true."""
