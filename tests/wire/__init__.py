"""Faults on the wire: a proxy in front of real servers, and nights that have to end in the same state."""
