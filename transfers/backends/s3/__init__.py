"""Repositories in a bucket of an S3 service."""

from transfers.backends.s3.backend import S3Backend
from transfers.backends.s3.place import Place

__all__ = ["Place", "S3Backend"]
