"""What a detector gets wrong: confusion, AP of each class, errors with their causes."""

from .kinds import CAUSES, Error, Errors, find_errors
from .records import Records, load_records
from .scores import average_precision, confusion_matrix

__all__ = [
    'CAUSES',
    'Error',
    'Errors',
    'Records',
    'average_precision',
    'confusion_matrix',
    'find_errors',
    'load_records',
]
