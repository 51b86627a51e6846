"""Notes about whatever was taken in."""

from collections.abc import Sequence

from django.db.models import Model

from alyx.core import clock
from alyx.core.flags import Doubt
from alyx.core.models import Note
from datasets.imports.generic import Things
from datasets.imports.importer import USER, Here, Importer, Made, without_time
from datasets.imports.spool import Row
from datasets.imports.values import UNKNOWN, Refused, Take


class Notes(Importer):
    """A note. A picture stays where it is: the file holds only its name, which a flag keeps."""

    label, model = "misc.note", Note
    refs = {"user": USER}

    def __init__(self, models: dict[str, type[Model]]) -> None:
        self._things = Things(models)

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """What these notes are about, and its lab."""
        self._things.look_for(rows, here)

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The note."""
        thing = self._things.of(take.raw("content_type"), take.raw("object_id"), here)
        if thing is None:
            raise Refused("what it is about was not taken in (it may not be supported yet)")
        content_type, ours, lab = thing
        zone = here.zone(lab)
        wall = take.wall("date_time", zone)
        if wall is None:
            take.doubts.append(without_time("date_time"))
        if image := take.text("image", None):
            words = f"its picture {image} is not in the file"
            take.doubts.append(Doubt("picture-not-copied", words, {"image": image}, "add the picture to the note"))
        columns = {
            "content_type_id": content_type,
            "object_id": ours,
            "user_id": take.link("user", USER, needed=True),
            "at_wall": wall or UNKNOWN,
            "zone": zone,
            "at": clock.wall_to_utc(wall or UNKNOWN, zone),
            "text": take.text("text", None),
            "json": take.json(),
        }
        take.raw("name")
        return Made(columns, lab_id=lab, doubts=take.doubts)
