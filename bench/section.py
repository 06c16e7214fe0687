"""A section of results: read-only, and without unknown keys when read back."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of what a benchmark writes as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")
