"""Docstrings of this package say `Example:`, which Griffe knows as `Examples:`."""

from __future__ import annotations

import re
from typing import Any

import griffe

_HEAD = re.compile(r"^(\s*)Example:$", re.MULTILINE)


class DoctestExamples(griffe.Extension):
    """Show every example as code."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rename the section in the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = _HEAD.sub(r"\1Examples:", obj.docstring.value)
