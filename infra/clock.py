"""The machine's clock."""

from __future__ import annotations

import time


class SystemClock:
    """`Clock` by the operating system."""

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return time.time_ns() // 1000
