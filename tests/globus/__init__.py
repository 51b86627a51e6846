"""Globus: the backend against a stand-in that speaks the wire of Transfer and Auth."""
