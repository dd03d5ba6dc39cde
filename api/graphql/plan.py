"""Plain selections answered column by column instead of field by field.

graphql-core asks a resolver, builds an info and a path, and completes a value for every single leaf. Where a selection
holds nothing but attributes and methods without arguments, of objects and lists of such, the same answer can be had by
taking one attribute of all objects at once. A `Plan` does that; whatever it does not expect (a null where none may be,
a number out of range, a resolver that raises) makes it give up with `Fallback`, and the ordinary way answers
or reports. `tests/api/test_plan.py` holds both ways to the same answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
)
from graphql.execution.collect_fields import FieldDetailsList
from strawberry.types.field import StrawberryField

Column = list[Any]  # Any: one value an object, of whatever type the field has
Take = Callable[[Sequence[Any]], Column]
Complete = Callable[[Column], Column]
Grouped = Callable[[GraphQLObjectType, FieldDetailsList], dict[str, FieldDetailsList]]
_DEFINITION = "strawberry-definition"
_NULL = {type(None)}
_NOTHING = {type(None), type(Undefined)}


class Fallback(Exception):
    """Not to be answered this way."""


class Plan:
    """What to take from objects of one type for one selection."""

    __slots__ = ("columns", "keys", "type")

    def __init__(self, type_: GraphQLObjectType, keys: tuple[str, ...], columns: list[Take]) -> None:
        self.type = type_
        self.keys = keys
        self.columns = columns

    def run(self, objects: Sequence[Any]) -> list[dict[str, Any]]:
        """One answer an object, in order. Raises: Fallback."""
        self._check(objects)
        if not self.columns:
            return [{} for _ in objects]
        keys = self.keys
        columns = [take(objects) for take in self.columns]
        # a row has as many values as there are keys; to have that looked at for each costs a third more
        return [dict(zip(keys, row, strict=False)) for row in zip(*columns, strict=True)]

    def _check(self, objects: Sequence[Any]) -> None:
        is_type_of = self.type.is_type_of
        if is_type_of is not None:
            samples = {type(item): item for item in objects}
            if not all(is_type_of(sample, None) is True for sample in samples.values()):  # type: ignore[arg-type]  # ours ignore info
                raise Fallback


def build(type_: GraphQLObjectType, details: FieldDetailsList, grouped: Grouped) -> Plan | None:
    """The plan of a selection on a type, None where it needs the ordinary way."""
    keys: list[str] = []
    columns: list[Take] = []
    for key, under in grouped(type_, details).items():
        name = under[0].node.name.value
        take = _typename(type_.name) if name == "__typename" else _column(type_, name, under, grouped)
        if take is None:
            return None
        keys.append(key)
        columns.append(take)
    return Plan(type_, tuple(keys), columns)


def _typename(name: str) -> Take:
    return lambda objects: [name] * len(objects)


def _column(type_: GraphQLObjectType, name: str, details: FieldDetailsList, grouped: Grouped) -> Take | None:
    field = type_.fields.get(name)
    get = _getter(field) if field is not None else None
    if field is None or get is None:
        return None
    complete = _completion(field.type, details, grouped)
    if complete is None:
        return None
    getter, completion = get, complete

    def take(objects: Sequence[Any]) -> Column:
        try:
            return completion(list(map(getter, objects)))
        except Fallback:
            raise
        except Exception as error:  # the ordinary way meets it again and reports it where it belongs
            raise Fallback from error

    return take


def _getter(field: GraphQLField) -> Callable[[Any], Any] | None:
    definition = field.extensions.get(_DEFINITION)
    if field.args or not isinstance(definition, StrawberryField) or definition.extensions:
        return None
    if definition.permission_classes:
        return None
    if definition.is_basic_field:
        return attrgetter(definition.python_name)
    resolver = definition.base_resolver
    if resolver is None or resolver.is_async or resolver.arguments:
        return None
    if resolver.info_parameter or resolver.parent_parameter or resolver.root_parameter or not resolver.self_parameter:
        return None
    function = resolver.wrapped_func
    return function if callable(function) else None


def _completion(type_: GraphQLOutputType, details: FieldDetailsList, grouped: Grouped) -> Complete | None:
    nullable = not isinstance(type_, GraphQLNonNull)
    named = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    inner = _inner(named, details, grouped)
    if inner is None:
        return None
    return _nullable(inner) if nullable else _not_null(inner)


def _inner(type_: GraphQLOutputType, details: FieldDetailsList, grouped: Grouped) -> Complete | None:
    if isinstance(type_, GraphQLList):
        each = _completion(type_.of_type, details, grouped)
        return _lists(each) if each else None
    if isinstance(type_, GraphQLObjectType):
        plan = build(type_, details, grouped)
        return plan.run if plan else None
    leaf = getattr(type_, "coerce_output_value", None)
    return _leaf(type_) if leaf else None  # type: ignore[arg-type]  # only leaves coerce


def _not_null(inner: Complete) -> Complete:
    def complete(values: Column) -> Column:
        if not _NULL.isdisjoint(map(type, values)):  # by type: `in` compares with objects, by methods of theirs
            raise Fallback
        return inner(values)

    return complete


def _nullable(inner: Complete) -> Complete:
    def complete(values: Column) -> Column:
        if None not in values:
            return inner(values)
        present = iter(inner([value for value in values if value is not None]))
        return [None if value is None else next(present) for value in values]

    return complete


def _lists(each: Complete) -> Complete:
    def complete(values: Column) -> Column:
        if not set(map(type, values)) <= {list, tuple}:
            raise Fallback
        if len(values) == 1:
            return [each(list(values[0]))]
        flat = iter(each(list(chain.from_iterable(values))))
        return [[next(flat) for _ in value] for value in values]

    return complete


_FITS: dict[GraphQLLeafType, Callable[[Column, set[type]], bool]] = {
    GraphQLString: lambda values, types: types <= {str},
    GraphQLID: lambda values, types: types <= {str},
    GraphQLBoolean: lambda values, types: types <= {bool},
    GraphQLFloat: lambda values, types: types <= {float} and all(map(math.isfinite, values)),
    GraphQLInt: lambda values, types: (
        types <= {int} and (not values or (min(values) >= -(2**31) and max(values) < 2**31))
    ),
}
"""Values that these scalars give out as they are."""


def _leaf(type_: GraphQLLeafType) -> Complete:
    coerce = type_.coerce_output_value
    names = _names(type_) if isinstance(type_, GraphQLEnumType) else None
    fits = _FITS.get(type_)

    def complete(values: Column) -> Column:
        types = set(map(type, values))
        if fits is not None and fits(values, types):
            return values
        if names is not None:
            return [names[value] for value in values]
        if any(issubclass(kind, BaseException) for kind in types):
            raise Fallback
        coerced = list(map(coerce, values))
        if not _NOTHING.isdisjoint(map(type, coerced)):
            raise Fallback
        return coerced

    return complete


def _names(type_: GraphQLEnumType) -> dict[Any, str]:
    """By member and by bare value; a member that is text equals its value."""
    return {value.value: name for name, value in type_.values.items()}
