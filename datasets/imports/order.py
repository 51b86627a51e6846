"""What is taken in, in the order of who names whom. Models of one group name each other and are stored together."""

from django.db.models import Model

from alyx.labs.models import User
from datasets.imports.animals import Culls, Subjects, Tests, Zygosities
from datasets.imports.colony import Alleles, Lines, Litters, Pairs, Requests, Rules
from datasets.imports.files import DataNotices, Datasets, Downloads, FileRecords
from datasets.imports.housing import CageTypes, Enrichments, Foods, Housings, Stays
from datasets.imports.importer import USER, Importer, word
from datasets.imports.labs import Labs, Locations, Memberships, People, Projects
from datasets.imports.notes import Notes
from datasets.imports.procedures import Implants, OldImplants, Others, Surgeries, VirusInjections
from datasets.imports.recordings import (
    IMAGING_TYPE,
    SYSTEM,
    Channels,
    Fields,
    Insertions,
    ProbeModels,
    Regions,
    Stacks,
    Tasks,
    Trajectories,
)
from datasets.imports.recordings import Locations as FieldLocations
from datasets.imports.registry import (
    DataFormats,
    DatasetTypes,
    Repositories,
    RepositoryTypes,
    Revisions,
    Tags,
)
from datasets.imports.sessions import Sessions
from datasets.imports.water import Restrictions, Waters, Weighings
from sessions.models import CoordinateSystem, ImagingType
from subjects.models import (
    CullMethod,
    CullReason,
    ProcedureType,
    Sequence,
    Source,
    Species,
    Strain,
    WaterType,
)


def groups() -> list[list[Importer]]:
    """The importers of one import, in order."""
    ordered: list[list[Importer]] = [
        [People()],
        [CageTypes()],
        [Enrichments()],
        [Foods()],
        [Labs()],
        [RepositoryTypes()],
        [Repositories()],
        [Memberships()],
        [Locations()],
        [Projects()],
        [word("subjects.species", Species, "nickname")],
        [word("subjects.strain", Strain)],
        [word("subjects.source", Source)],
        [word("subjects.sequence", Sequence, "base_pairs")],
        [word("actions.proceduretype", ProcedureType)],
        [word("actions.watertype", WaterType)],
        [word("actions.cullreason", CullReason)],
        [word("actions.cullmethod", CullMethod)],
        [ProbeModels()],
        [Alleles()],
        [Lines()],
        [Rules()],
        [Requests()],
        [Subjects(), Pairs(), Litters()],
        [Tests()],
        [Zygosities()],
        [Housings()],
        [Stays()],
        [Sessions()],
        [Weighings()],
        [Waters()],
        [Restrictions()],
        [Surgeries()],
        [VirusInjections()],
        [Others()],
        [Implants()],
        [OldImplants()],
        [Culls()],
        [Regions()],
        [word(SYSTEM, CoordinateSystem)],
        [Insertions()],
        [Trajectories()],
        [Channels()],
        [word(IMAGING_TYPE, ImagingType)],
        [Stacks()],
        [Fields()],
        [FieldLocations()],
        [Tasks()],
        [DatasetTypes()],
        [DataFormats()],
        [Revisions()],
        [Tags()],
    ]
    ordered.append([Datasets(models_of(ordered))])
    ordered += [[FileRecords()], [Downloads()], [DataNotices()]]
    return [*ordered, [Notes(models_of(ordered))]]


def models_of(ordered: list[list[Importer]]) -> dict[str, type[Model]]:
    """Which table of ours a label of theirs means, those that are only named included."""
    known: dict[str, type[Model]] = {one.label: one.model for group in ordered for one in group}
    return {**known, USER: User}
