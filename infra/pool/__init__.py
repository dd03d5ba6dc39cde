"""A pool of child processes with limits on memory and time: what crashes in one harms nobody else."""

from infra.pool.pool import WorkerPool
from infra.pool.worker import report

__all__ = ["WorkerPool", "report"]
