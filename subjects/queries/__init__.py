"""Reads of the animal side: page-shaped, few queries whatever the number of animals."""
