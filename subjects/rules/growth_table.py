"""A growth curve as people paste it: a table with sex, age in weeks, mean and deviation in grams. Pure."""

import csv
import math
from dataclasses import dataclass

COLUMNS = ("sex", "age_weeks", "mean_g", "sd_g")
MOST_ROWS = 2000
OLDEST_WEEKS = 520


@dataclass(frozen=True)
class Point:
    """One line of the table."""

    sex: str
    age_weeks: int
    mean_g: float
    sd_g: float


@dataclass(frozen=True)
class Read:
    """What a table says, and what is wrong with it, line by line."""

    points: tuple[Point, ...]
    wrong: tuple[str, ...]


def read_table(text: str) -> Read:
    """Read CSV with a header; comma, semicolon or tab between columns, in any order."""
    lines = [line for line in text.strip().lstrip("\ufeff").splitlines() if line.strip()]
    if not lines:
        return Read((), ("the table is empty",))
    mark = max(",;\t", key=lines[0].count)
    rows = csv.reader(lines, delimiter=mark)
    header = [name.strip().lower() for name in next(rows)]
    if missing := [name for name in COLUMNS if name not in header]:
        return Read((), (f"the first line must name the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}",))
    if len(lines) - 1 > MOST_ROWS:
        return Read((), (f"{len(lines) - 1} lines; at most {MOST_ROWS}",))
    points: dict[tuple[str, int], Point] = {}
    wrong: list[str] = []
    for number, row in enumerate(rows, start=2):
        point, fault = _point(dict(zip(header, row, strict=False)), mark)
        if point is not None and (point.sex, point.age_weeks) in points:
            fault = f"{point.sex} at {point.age_weeks} weeks stands twice"
        if fault or point is None:
            wrong.append(f"line {number}: {fault}")
        else:
            points[point.sex, point.age_weeks] = point
    if not points and not wrong:
        wrong.append("the table has no line below its header")
    return Read(tuple(points.values()), tuple(wrong))


def _point(row: dict[str, str], mark: str) -> tuple[Point | None, str]:
    said = {name: (row.get(name) or "").strip() for name in COLUMNS}
    sex = said["sex"].upper()[:1]
    if sex not in {"M", "F"}:
        return None, f"sex is M or F, not {said['sex']!r}"
    numbers = []
    for name in COLUMNS[1:]:
        text = said[name].replace(",", ".") if mark != "," else said[name]
        try:
            value = float(text)
        except ValueError:
            return None, f"{name} is no number: {said[name]!r}"
        numbers.append(value)
    age, mean, sd = numbers
    if not all(map(math.isfinite, numbers)) or mean <= 0 or sd <= 0:
        return None, "mean and deviation are above 0"
    if age != int(age) or not 0 <= age <= OLDEST_WEEKS:
        return None, f"the age is whole weeks from 0 to {OLDEST_WEEKS}, not {said['age_weeks']}"
    return Point(sex, int(age), mean, sd), ""
