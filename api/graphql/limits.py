"""What a query may ask for, decided before any resolver runs.

Cost: a field costs 1, what lies under a field costs as often as that field may list it. A field with `first` lists
`first` (its default where left out or null); other lists say what they usually hold with `usually(n)`.
Depth, aliases and cost count what fragments spread, each fragment looked at once however often it is spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from domain.errors import Forbidden, LimitExceeded, Malformed

MOST_DEPTH = 10
MOST_ALIASES = 15
MOST_TOKENS = 1_000
MOST_COST = 5_000
MOST_PER_PAGE = 100
LISTS = "disco-lists"
USUAL_LIST = 10
_INTROSPECTION = ("__schema", "__type")

Variables = Mapping[str, Any]  # Any: coerced values


@dataclass(frozen=True, slots=True)
class Shape:
    """How deep a selection goes and how many aliases it spreads out to."""

    depth: int
    aliases: int


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


class _Shapes:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = _fragments(document)
        self._known: dict[str, Shape] = {}
        self._open: set[str] = set()

    def of(self, selections: SelectionSetNode | None) -> Shape:
        depth = aliases = 0
        for node in selections.selections if selections else ():
            found = self._one(node)
            depth = max(depth, found.depth)
            aliases += found.aliases
        return Shape(depth, aliases)

    def _one(self, node: object) -> Shape:
        if isinstance(node, FieldNode):
            if node.name.value in _INTROSPECTION:
                return Shape(1, 0)
            under = self.of(node.selection_set)
            return Shape(under.depth + 1, under.aliases + (node.alias is not None))
        if isinstance(node, InlineFragmentNode):
            return self.of(node.selection_set)
        return self._spread(cast(FragmentSpreadNode, node).name.value)

    def _spread(self, name: str) -> Shape:
        if name in self._open:
            raise Malformed(f"fragment {name!r} spreads itself", field=name)
        if name not in self._known:
            fragment = self._fragments.get(name)
            self._open.add(name)
            self._known[name] = self.of(fragment.selection_set) if fragment else Shape(0, 0)
            self._open.discard(name)
        return self._known[name]


def check_shape(document: DocumentNode, *, introspection: bool) -> None:
    """Check depth and aliases of every operation, before the document is validated.

    Raises: LimitExceeded; Forbidden, for introspection where it is off; Malformed, for a fragment within itself.
    """
    shapes = _Shapes(document)
    for operation in document.definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        shape = shapes.of(operation.selection_set)
        if shape.depth > MOST_DEPTH:
            raise LimitExceeded(
                f"the query is {shape.depth} levels deep, {MOST_DEPTH} are allowed; ask in several queries",
                what="depth", limit=MOST_DEPTH, found=shape.depth,
            )  # fmt: skip
        if shape.aliases > MOST_ALIASES:
            raise LimitExceeded(
                f"the query has {shape.aliases} aliases, {MOST_ALIASES} are allowed; ask in several queries",
                what="aliases", limit=MOST_ALIASES, found=shape.aliases,
            )  # fmt: skip
    if not introspection and _asks_for(document, _INTROSPECTION):
        raise Forbidden("introspection is off; the schema is docs/schema.graphql", what="introspection")


def _asks_for(document: DocumentNode, names: tuple[str, ...]) -> bool:
    return not field_names(document).isdisjoint(names)


def field_names(document: DocumentNode) -> frozenset[str]:
    """The names of all fields selected anywhere in a document."""
    found: set[str] = set()
    pending = [node.selection_set for node in document.definitions if hasattr(node, "selection_set")]
    while pending:
        for node in pending.pop().selections:
            if isinstance(node, FieldNode):
                found.add(node.name.value)
            under = getattr(node, "selection_set", None)
            if under is not None:
                pending.append(under)
    return frozenset(found)


class _Costs:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Variables) -> None:
        self._schema = schema
        self._fragments = _fragments(document)
        self._variables = variables
        self._known: dict[str, int] = {}

    def of(self, selections: SelectionSetNode | None, parent: GraphQLNamedType | None) -> int:
        return sum(self._one(node, parent) for node in selections.selections) if selections else 0

    def _one(self, node: object, parent: GraphQLNamedType | None) -> int:
        if isinstance(node, FieldNode):
            return self._field(node, parent)
        if isinstance(node, InlineFragmentNode):
            on = node.type_condition
            return self.of(node.selection_set, self._schema.get_type(on.name.value) if on else parent)
        name = cast(FragmentSpreadNode, node).name.value
        if name not in self._known:
            fragment = self._fragments[name]
            self._known[name] = self.of(
                fragment.selection_set, self._schema.get_type(fragment.type_condition.name.value)
            )
        return self._known[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> int:
        if node.name.value.startswith("__") or not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return 1
        field = parent.fields[node.name.value]
        return 1 + self._times(node, field) * self.of(node.selection_set, get_named_type(field.type))

    def _times(self, node: FieldNode, field: GraphQLField) -> int:
        if "first" in field.args:
            return self._first(node, field)
        usual = _usual(field)
        if usual is not None:
            return usual
        return USUAL_LIST if node.selection_set and _is_list(field.type) else 1

    def _first(self, node: FieldNode, field: GraphQLField) -> int:
        given = next((argument.value for argument in node.arguments or () if argument.name.value == "first"), None)
        first = _default(field)
        if isinstance(given, IntValueNode):
            first = int(given.value)
        elif isinstance(given, VariableNode):
            asked = self._variables.get(given.name.value)
            first = first if asked is None else int(asked)
        if not 1 <= first <= MOST_PER_PAGE:
            raise LimitExceeded(
                f"`first` of {node.name.value} is {first}; from 1 to {MOST_PER_PAGE} is allowed, the rest by `after`",
                what="page", limit=MOST_PER_PAGE, found=first,
            )  # fmt: skip
        return first


def usually(items: int) -> dict[Any, Any]:  # Any: what strawberry asks of metadata
    """Metadata of a list without `first`: how many items it usually holds."""
    return {LISTS: items}


def _usual(field: GraphQLField) -> int | None:
    metadata = getattr(field.extensions.get("strawberry-definition"), "metadata", None) or {}
    found: int | None = metadata.get(LISTS)
    return found


def _default(field: GraphQLField) -> int:
    value: object = field.args["first"].default_value
    return value if isinstance(value, int) else MOST_PER_PAGE


def _is_list(type_: GraphQLOutputType) -> bool:
    while isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    return isinstance(type_, GraphQLList)


def check_cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Variables
) -> int:
    """Return what an operation may cost with these variables. Raises: LimitExceeded, also for a page too large."""
    costs = _Costs(schema, document, variables)
    cost = costs.of(operation.selection_set, schema.get_root_type(operation.operation))
    if cost > MOST_COST:
        raise LimitExceeded(
            f"the query may cost {cost}, {MOST_COST} is allowed; ask for fewer items (`first`) or fewer fields",
            what="cost", limit=MOST_COST, found=cost,
        )  # fmt: skip
    return cost
