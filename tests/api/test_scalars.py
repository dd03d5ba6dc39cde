"""Values as they are written: a standard's reader gets back what was meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.graphql.scalars import time_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@given(time=st.datetimes(timezones=st.just(UTC)) | st.datetimes().map(lambda t: t.replace(microsecond=0, tzinfo=UTC)))
def test_a_time_is_read_back_to_the_microsecond(time: datetime) -> None:
    """Given any time, before 1970 or after, when written, then a reader of ISO 8601 finds it, in UTC."""
    text = time_text((time - EPOCH) // MICROSECOND)
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == time
