"""The tree of brain regions as numbers. Pure."""

from collections import defaultdict
from collections.abc import Mapping


def nested(parents: Mapping[int, int | None]) -> dict[int, tuple[int, int]]:
    """(first, last) of each region: depth first, children by their key; all below a region lie between its two numbers.

    A parent that is not there counts as none. Regions in a circle, which no root leads to, stand alone behind the rest.
    """
    below: dict[int | None, list[int]] = defaultdict(list)
    for key, parent in parents.items():
        below[parent if parent in parents else None].append(key)
    numbers: dict[int, tuple[int, int]] = {}
    at = 0
    steps = [(key, False) for key in sorted(below[None], reverse=True)]
    while steps:
        key, is_done = steps.pop()
        if is_done:
            numbers[key] = (numbers[key][0], at)
            continue
        at += 1
        numbers[key] = (at, at)
        steps.append((key, True))
        steps += [(child, False) for child in sorted(below[key], reverse=True)]
    for key in sorted(parents.keys() - numbers.keys()):
        at += 1
        numbers[key] = (at, at)
    return numbers
