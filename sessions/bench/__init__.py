"""Pages for a tablet beside a rig: notes while recording."""
