"""Repositories on a file system of this machine."""

from transfers.backends.posix.backend import PosixBackend

__all__ = ["PosixBackend"]
