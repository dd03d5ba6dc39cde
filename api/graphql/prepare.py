"""From the text of a query to a checked document, cached: parsing and validating cost more than most answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    VariableNode,
    parse,
    validate,
)
from graphql.language import visit
from graphql.language.visitor import Visitor

from api.errors import Rejected
from api.graphql.limits import MOST_TOKENS, check_shape, field_names
from domain.errors import DiscoError

KEPT = 512
KEPT_CHARACTERS = 4_000_000
MOST_ERRORS = 20


@dataclass(slots=True)
class Prepared:
    """A document that may be executed as often as you like, or why not.

    conditions: the variables that @skip and @include look at; pages: those given as `first`; plans: see `plan`;
    fields: names of all fields in it.
    """

    text: str
    document: DocumentNode | None = None
    errors: Sequence[GraphQLError] = ()
    conditions: tuple[str, ...] = ()
    pages: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    plans: dict[Any, Any] = field(default_factory=dict)  # Any: keys and plans are `plan`'s own

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of this name, or the only one."""
        nodes = self.document.definitions if self.document else ()
        found = [node for node in nodes if isinstance(node, OperationDefinitionNode)]
        if name is None:
            return found[0] if len(found) == 1 else None
        return next((node for node in found if node.name and node.name.value == name), None)


class _Variables(Visitor):
    """Finds the variables that conditions look at, and those that say how long a page is."""

    def __init__(self) -> None:
        super().__init__()
        self.conditions: set[str] = set()
        self.pages: set[str] = set()

    def _look(self, node: FieldNode | InlineFragmentNode | FragmentSpreadNode) -> None:
        for directive in node.directives or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    self.conditions.add(argument.value.name.value)

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        if node.name.value == "first" and isinstance(node.value, VariableNode):
            self.pages.add(node.value.name.value)

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self._look(node)

    def enter_inline_fragment(self, node: InlineFragmentNode, *_: object) -> None:
        self._look(node)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self._look(node)


class Documents:
    """Parses and checks queries against one schema, the newest kept."""

    def __init__(self, schema: GraphQLSchema, *, development: bool) -> None:
        self._schema = schema
        self._development = development
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._characters = 0

    def prepare(self, text: str) -> Prepared:
        """The document of this text; its `errors` say why it must not be executed."""
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            return known
        prepared = self._check(text)
        self._kept[text] = prepared
        self._characters += len(text)
        while len(self._kept) > KEPT or self._characters > KEPT_CHARACTERS:
            old, _ = self._kept.popitem(last=False)
            self._characters -= len(old)
        return prepared

    def _check(self, text: str) -> Prepared:
        try:
            document = parse(text, max_tokens=MOST_TOKENS, no_location=False)
            check_shape(document, introspection=self._development)
        except GraphQLError as error:
            return Prepared(text, errors=[error])
        except DiscoError as error:
            return Prepared(text, errors=[Rejected(error)])
        except RecursionError:
            return Prepared(text, errors=[GraphQLError("the query nests too deeply")])
        errors = validate(self._schema, document, max_errors=MOST_ERRORS, hide_suggestions=not self._development)
        if errors:
            return Prepared(text, errors=errors)
        found = _Variables()
        visit(document, found)
        return Prepared(
            text,
            document,
            conditions=tuple(sorted(found.conditions)),
            pages=frozenset(found.pages),
            fields=field_names(document),
        )
