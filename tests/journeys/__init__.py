"""Days of real people, in a real browser."""
