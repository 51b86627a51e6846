"""Who reads what of the animals: the lab's members, and the people of the animal's projects."""

from alyx.core.reading import declare, either, everybody, of_lab, through
from subjects.models import (
    AdverseEffect,
    Allele,
    BreedingPair,
    Craniotomy,
    Cull,
    CullMethod,
    CullReason,
    Drug,
    DrugGiven,
    GenotypeTest,
    GrowthPoint,
    HandOver,
    Headplate,
    Housing,
    HousingOption,
    Implant,
    Injection,
    LabConditions,
    Licence,
    Line,
    Litter,
    OtherProcedure,
    Perfusion,
    PostOpCheck,
    ProbeModel,
    ProcedureType,
    Sequence,
    Source,
    Species,
    Stay,
    Strain,
    Subject,
    SubjectRequest,
    Surgery,
    SurgeryTemplate,
    TimelineEntry,
    VirusBatch,
    WaterAdministration,
    WaterRestriction,
    WaterType,
    Weighing,
    Zygosity,
    ZygosityRule,
)

_WORDS = [ProcedureType, WaterType, CullReason, CullMethod, ProbeModel, Species, Strain, Source, Sequence, Allele]
_OF_LAB = [
    Line,
    BreedingPair,
    Litter,
    SubjectRequest,
    Licence,
    Drug,
    VirusBatch,
    Housing,
    LabConditions,
    SurgeryTemplate,
]
_OF_SUBJECT = [Cull, AdverseEffect, GenotypeTest, Zygosity, HandOver, Stay, DrugGiven, Weighing, WaterAdministration]
_DONE_SOMEWHERE = [Surgery, OtherProcedure, WaterRestriction, Implant]
"""Of the animal, and of the lab where it was done: animals move."""
_OF_SURGERY = [Headplate, Craniotomy, Injection, Perfusion, TimelineEntry, PostOpCheck]

declare(
    {
        **dict.fromkeys([*_WORDS, HousingOption, GrowthPoint], everybody),
        **dict.fromkeys(_OF_LAB, of_lab(of_none=True)),
        Subject: of_lab(links=Subject.projects.through, owner="subject"),
        **dict.fromkeys(_OF_SUBJECT, through("subject", Subject)),
        **dict.fromkeys(_DONE_SOMEWHERE, either(through("subject", Subject), of_lab())),
        **dict.fromkeys(_OF_SURGERY, through("surgery", Surgery)),
        ZygosityRule: through("line", Line),
    }
)
