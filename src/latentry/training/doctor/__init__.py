"""The training doctor: signals at every tick, rules that read them, and findings that say what to change."""

from latentry.training.doctor.diagnose import RULES, diagnose, diagnose_run, read_case
from latentry.training.doctor.failure import forget_failure, read_failure, record_failure
from latentry.training.doctor.finding import Case, Curve, Finding, Rule
from latentry.training.doctor.signals import Meter

__all__ = [
    "RULES",
    "Case",
    "Curve",
    "Finding",
    "Meter",
    "Rule",
    "diagnose",
    "diagnose_run",
    "forget_failure",
    "read_case",
    "read_failure",
    "record_failure",
]
