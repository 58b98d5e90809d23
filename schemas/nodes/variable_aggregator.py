"""`variable-aggregator`: the first of several variables that has a value, once or for each group."""

from collections.abc import Iterator

from pydantic import Field

from schemas.nodes.base import NodeData, Tolerant
from schemas.selectors import Reference, of


class Group(Tolerant):
    """One output of an aggregator with groups."""

    group_name: str
    output_type: str = "any"
    variables: list[list[str]] = Field(default_factory=list)


class AdvancedSettings(Tolerant):
    """Whether the groups count, or `variables` of the node."""

    group_enabled: bool = False
    groups: list[Group] = Field(default_factory=list)


class VariableAggregatorData(NodeData):
    """`data` of a variable-aggregator node."""

    output_type: str = "any"
    variables: list[list[str]] = Field(default_factory=list)
    advanced_settings: AdvancedSettings | None = None

    @property
    def active_groups(self) -> list[Group] | None:
        """The groups, if they count."""
        settings = self.advanced_settings
        return settings.groups if settings and settings.group_enabled else None

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        if self.active_groups is None:
            for i, selector in enumerate(self.variables):
                yield from of(f"variables.{i}", selector)
            return
        for g, group in enumerate(self.active_groups):
            for i, selector in enumerate(group.variables):
                yield from of(f"advanced_settings.groups.{g}.variables.{i}", selector)
