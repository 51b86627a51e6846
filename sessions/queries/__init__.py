"""Page-shaped reads of recordings and of what hangs on them: few statements, whatever the number of rows."""
