"""Several people name animals, pairs and litters at once, on connections of their own."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from alyx.core.errors import DomainError
from subjects.models import BreedingPair, Litter, Subject, SubjectRequest
from subjects.services import colony
from subjects.services.subject import create_subject
from tests.factories.animals import a_line
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_subject

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 4


def at_once(call: Callable[[int], Any], people: int = PEOPLE) -> list[Any]:
    """Call together, each with its number; results, refusals among them."""
    gate = Barrier(people)

    def run(number: int) -> Any:
        try:
            gate.wait()
            return call(number)
        except DomainError as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(people) as pool:
        return [one.result() for one in [pool.submit(run, number) for number in range(people)]]


def test_everybody_gets_names_of_their_own() -> None:
    lab = a_lab("cortexlab")
    anna, line = a_member(lab), a_line(lab, "Ai32")

    def enter(number: int) -> None:
        for turn in range(3):
            colony.create_litter(actor=anna, values={"line": line}, pups=[{}, {}])
            colony.create_pair(actor=anna, values={"line": line})
            create_subject(actor=anna, values={"lab": "cortexlab", **({"line": "Ai32"} if (number + turn) % 2 else {})})

    assert at_once(enter) == [None] * PEOPLE
    rounds = PEOPLE * 3
    names = Counter(name.rsplit("_", 1)[0] for name in Subject.objects.values_list("nickname", flat=True))
    assert names == {"Ai32": rounds * 2 + rounds // 2, "cortexlab": rounds // 2}
    numbered = sorted(Subject.objects.filter(line=line).values_list("nickname", flat=True))
    assert numbered == [f"Ai32_{number:04d}" for number in range(1, names["Ai32"] + 1)]
    for model, word in ((Litter, "L"), (BreedingPair, "BP")):
        given = sorted(model._default_manager.values_list("name", flat=True))
        assert given == [f"Ai32_{word}_{number:03d}" for number in range(1, rounds + 1)]


def test_a_request_is_never_filled_beyond_its_count() -> None:
    lab = a_lab()
    anna = a_member(lab)
    request = colony.open_request(actor=anna, values={"lab": lab, "count": 2})
    animals = [a_subject(lab) for _ in range(PEOPLE)]
    answers = at_once(lambda number: colony.allocate(actor=anna, request=request, subjects=[animals[number]]))
    assert sum(isinstance(answer, SubjectRequest) for answer in answers) == 2
    assert Subject.objects.filter(request=request).count() == 2


def test_giving_and_taking_back_at_once_never_deadlock() -> None:
    lab = a_lab()
    anna = a_member(lab)
    request = colony.open_request(actor=anna, values={"lab": lab, "count": 9})
    animal = a_subject(lab)

    def turn(number: int) -> None:
        for _ in range(8):
            if number % 2:
                colony.release(actor=anna, subject=animal)
            else:
                colony.allocate(actor=anna, request=request, subjects=[animal])

    assert at_once(turn) == [None] * PEOPLE
