"""The first page's groups: what is used every day stands first, rarely touched vocabularies are folded away."""

from collections.abc import Iterable
from typing import Any

VOCABULARIES = "Vocabularies"

GROUPS: dict[str, tuple[str, ...]] = {
    "Animals and colony": (
        "subjects.Subject",
        "subjects.Litter",
        "subjects.BreedingPair",
        "subjects.Line",
        "subjects.SubjectRequest",
        "subjects.Zygosity",
        "subjects.GenotypeTest",
        "subjects.Housing",
        "subjects.Cull",
    ),
    "Weight and water": (
        "subjects.Weighing",
        "subjects.WaterAdministration",
        "subjects.WaterRestriction",
    ),
    "Procedures": (
        "subjects.Surgery",
        "subjects.OtherProcedure",
        "subjects.PostOpCheck",
        "subjects.AdverseEffect",
        "subjects.DrugGiven",
        "subjects.Implant",
        "subjects.VirusBatch",
        "subjects.SurgeryTemplate",
    ),
    "Recordings and files": (
        "lab_sessions.Session",
        "lab_sessions.ProbeInsertion",
        "lab_sessions.TrajectoryEstimate",
        "lab_sessions.FOV",
        "lab_sessions.Task",
        "lab_sessions.BrainRegion",
        "datasets.Dataset",
        "datasets.FileRecord",
        "datasets.Tag",
        "datasets.Repository",
    ),
    "Transfers": (
        "transfers.TransferItem",
        "transfers.TransferJob",
        "transfers.NightWindow",
        "transfers.FoundFile",
        "transfers.Scan",
    ),
    "Review and notes": (
        "core.ReviewFlag",
        "labs.Notification",
        "labs.NotificationRule",
        "core.Note",
        "core.JournalEntry",
    ),
    "Labs and people": (
        "labs.Lab",
        "labs.User",
        "labs.Project",
        "labs.ProjectRole",
        "labs.Collaboration",
        "labs.Location",
        "labs.RigWatch",
        "subjects.Licence",
        "subjects.LabConditions",
        "labs.WelfarePolicy",
        "labs.PolicyWindow",
        "transfers.IntakePolicy",
        "labs.Token",
    ),
    VOCABULARIES: (
        "subjects.Species",
        "subjects.Strain",
        "subjects.Source",
        "subjects.Sequence",
        "subjects.Allele",
        "subjects.ZygosityRule",
        "subjects.HousingOption",
        "subjects.ProcedureType",
        "subjects.Drug",
        "subjects.WaterType",
        "subjects.CullReason",
        "subjects.CullMethod",
        "subjects.ProbeModel",
        "subjects.GrowthPoint",
        "datasets.DatasetType",
        "datasets.DataFormat",
        "datasets.Revision",
    ),
}


def grouped(apps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pages of Django's list by these groups, in this order; a page that is in none stands under its app's name."""
    place = {label: (title, rank) for title, labels in GROUPS.items() for rank, label in enumerate(labels)}
    found: dict[str, list[tuple[int, dict[str, Any]]]] = {title: [] for title in GROUPS if title != VOCABULARIES}
    folded: list[tuple[int, dict[str, Any]]] = []
    for app in apps:
        for page in app["models"]:
            title, rank = place.get(page["model"]._meta.label, (app["name"], len(place)))
            (folded if title == VOCABULARIES else found.setdefault(title, [])).append((rank, page))
    listed = [*found.items(), (VOCABULARIES, folded)]
    return [
        {
            "title": title,
            "pages": [page for _, page in sorted(pages, key=lambda pair: pair[0])],
            "folded": title == VOCABULARIES,
        }
        for title, pages in listed
        if pages
    ]
