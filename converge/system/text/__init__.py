"""Text files that are changed line by line, to the letter. Calculations on bytes: they have no root."""

from converge.system.text.base import Lines, numbers_at, places_of

__all__ = ["Lines", "numbers_at", "places_of"]
