"""One day of a small lab, played by the stock ONE client against an instance of this project: `python -m demo`."""
