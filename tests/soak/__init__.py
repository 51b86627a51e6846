"""Weeks of nights on the moved clock, with faults planted at random; everything arrives."""
