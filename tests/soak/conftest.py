"""Buckets for some of the labs."""

from tests.s3.conftest import s3

__all__ = ["s3"]
