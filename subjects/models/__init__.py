"""The animal's tables."""

from subjects.models.procedure import ProcedureType
from subjects.models.subject import Sex, Subject

__all__ = ["ProcedureType", "Sex", "Subject"]
