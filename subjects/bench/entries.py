"""What becomes of the entries that tablets send about animals: importing these declares them."""

from subjects.bench import entries_surgery, entries_surgery_times, entries_weighing

__all__ = ["entries_surgery", "entries_surgery_times", "entries_weighing"]
