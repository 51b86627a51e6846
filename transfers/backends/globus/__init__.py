"""Repositories in Globus collections."""

from transfers.backends.globus.backend import GlobusBackend
from transfers.backends.globus.place import Place

__all__ = ["GlobusBackend", "Place"]
