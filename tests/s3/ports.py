"""How a server that chose its port tells it to whoever started it."""

from pathlib import Path

FILE = "port"


def tell_port(folder: Path, port: int) -> None:
    """Write it, whole or not at all."""
    aside = folder / f"{FILE}.new"
    aside.write_text(str(port))
    aside.rename(folder / FILE)
