"""graphql-core's executor, with plans for plain selections."""

from __future__ import annotations

from typing import Any

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    get_named_type,
)
from graphql.execution.collect_fields import FieldDetailsList, collect_fields
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.graphql import plan as plans_
from api.graphql.prepare import Prepared

MOST_PLANS = 256


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Answers plain selections by a `Plan`, all others as graphql-core does.

    prepared: the document, which keeps its plans; without one everything goes the ordinary way.
    """

    def __init__(self, *args: Any, prepared: Prepared | None = None, **kwargs: Any) -> None:  # Any: graphql-core's own
        super().__init__(*args, **kwargs)
        self.prepared = prepared if self.middleware_manager is None else None
        coerced = self.variable_values.coerced
        self.conditions = tuple([coerced.get(name) for name in prepared.conditions]) if prepared else ()

    def plan_for(self, type_: GraphQLObjectType, details: FieldDetailsList) -> plans_.Plan | None:
        """The plan of a selection, built once per document and set of conditions; None where there is none."""
        if self.prepared is None or any(detail.fragment_variable_values for detail in details):
            return None
        known = self.prepared.plans
        key = (type_.name, tuple([id(detail.node) for detail in details]), self.conditions)
        if key not in known:
            if len(known) >= MOST_PLANS:
                known.clear()
            known[key] = plans_.build(type_, details, lambda t, d: self.collect_subfields(t, d).grouped_field_set)
        found: plans_.Plan | None = known[key]
        return found

    def is_plain_root(self) -> bool:
        """Whether the operation's only root field gives one plain object, which then depends on nothing else."""
        root = self.schema.get_root_type(self.operation.operation)
        assert root is not None  # noqa: S101  # a validated operation has its root
        fields = collect_fields(self.schema, self.fragments, self.variable_values, root, self.operation)
        for details in fields.grouped_field_set.values():
            field = root.fields.get(details[0].node.name.value)
            type_ = get_named_type(field.type) if field else None
            if not isinstance(type_, GraphQLObjectType) or self.plan_for(type_, details) is None:
                return False
        return True

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],  # Any: the context
        path: Path,
        result: Any,  # Any: what a resolver gave
        position_context: Any,  # Any: graphql-core's own
    ) -> Any:  # Any: JSON, or an awaitable of it
        """Complete a list, plain objects all at once."""
        item = return_type.of_type
        type_ = item.of_type if isinstance(item, GraphQLNonNull) else item
        if isinstance(type_, GraphQLObjectType) and type(result) in (list, tuple):
            plan = self.plan_for(type_, field_details_list)
            if plan is not None and not any(value is None for value in result):
                try:
                    return plan.run(result)
                except plans_.Fallback:
                    pass  # the ordinary way reports what is wrong
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],  # Any: the context
        path: Path,
        result: Any,  # Any: what a resolver gave
        position_context: Any,  # Any: graphql-core's own
    ) -> Any:  # Any: JSON, or an awaitable of it
        """Complete one object, a plain one at once."""
        plan = self.plan_for(return_type, field_details_list)
        if plan is not None:
            try:
                return plan.run([result])[0]
            except plans_.Fallback:
                pass  # the ordinary way reports what is wrong
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)
