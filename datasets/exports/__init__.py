"""What leaves the registry as files: reads → bytes. Nothing here talks to a network; publishing is the engine's work."""
