"""Why a rule refuses what a client sent: the rule's name, what is wrong, and how to put it right."""


class Refusal(ValueError):
    """Refused input. `rule` is the same for every instance of a class; `problem` and `fix` are for people."""

    rule = "refused"

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}: {fix}")
        self.problem = problem
        self.fix = fix


def shown(value: object, limit: int = 120) -> str:
    """The value in quotes, made printable and short enough for a message."""
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number too long to print"
    text = ascii(value) if not str(value).isprintable() else f'"{value}"'
    return text if len(text) <= limit else f"{text[:limit]}…"
