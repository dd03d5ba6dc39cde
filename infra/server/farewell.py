"""Leaving a group while it still lets us in.

Kafka answers a member that joins when all others have joined anew, which may take a minute, and answers what comes on
one connection in turn. aiokafka would say farewell on the connection that waits. So we say it on another: what was
asked for on the first is then refused, and the library comes to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

from infra.server.membership import log

SHORT_S = 0.3


async def end(ending: Awaitable[None], farewell: Callable[[], Awaitable[None]]) -> None:
    """Await the end of a consumer; where it is not short, say farewell until it has come."""
    task = asyncio.ensure_future(ending)
    while not (await asyncio.wait([task], timeout=SHORT_S))[0]:
        await farewell()
    await task


async def say_farewell(consumer: AIOKafkaConsumer) -> None:
    """Tell Kafka that this member is no more, where it has a name, and will not join again by itself."""
    coordinator = consumer._coordinator
    if coordinator is None or not coordinator._closing.done():
        return
    if not coordinator.member_id or coordinator.coordinator_id is None:
        return
    request = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
    try:
        await consumer._client.send(coordinator.coordinator_id, request)
    except KafkaError as error:  # it is said again for as long as there is time
        log.info("farewell_not_heard", group=coordinator.group_id, error=str(error))
