"""Pages of the animal."""

from subjects.admin import procedure, subject

__all__ = ["procedure", "subject"]
