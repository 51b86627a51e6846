"""Who is told, whatever the rules, labs and mutes are."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from alyx.labs.models import NotificationKind, RuleScope
from alyx.labs.recipients import ALL, LAB, MINE, NONE, News, Person, Silence, recipients

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
IDS = [UUID(int=number) for number in range(6)]
KINDS = ["underweight", "water_due"]
ids = st.sampled_from(IDS)
silences = st.builds(
    Silence,
    kind=st.sampled_from(["", *KINDS]),
    record=st.none() | ids,
    until=st.none() | st.sampled_from([NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1)]),
)
people = st.lists(
    st.builds(
        Person,
        id=ids,
        is_active=st.booleans(),
        labs=st.frozensets(ids, max_size=2),
        scope=st.none() | st.sampled_from([NONE, MINE, LAB, ALL]),
        silences=st.tuples() | st.tuples(silences),
    ),
    unique_by=lambda person: person.id,
)
news = st.builds(
    News, kind=st.sampled_from(KINDS), record=ids, lab=st.none() | ids, concerned=st.frozensets(ids, max_size=3)
)


@given(news, people)
def test_who_is_told(item: News, everybody: list[Person]) -> None:
    found = recipients(item, everybody, NOW)
    assert not found.told & found.muted, "told or muted, not both"
    for person in everybody:
        heard = person.id in found.told | found.muted
        if not person.is_active or person.scope == NONE:
            assert not heard
            continue
        concerned = person.id in item.concerned
        in_lab = item.lab is not None and item.lab in person.labs
        assert heard == (concerned or person.scope == ALL or (person.scope == LAB and in_lab))
        silenced = any(
            silence.kind in ("", item.kind)
            and silence.record in (None, item.record)
            and (silence.until is None or silence.until > NOW)
            for silence in person.silences
        )
        if heard:
            assert (person.id in found.muted) == silenced
    assert found.told | found.muted <= {person.id for person in everybody}


def test_the_words_are_those_of_the_table() -> None:
    assert {NONE, MINE, LAB, ALL} == set(RuleScope.values)
    assert set(KINDS) <= set(NotificationKind.values)
