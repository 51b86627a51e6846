"""Our formats for the only language there is."""
