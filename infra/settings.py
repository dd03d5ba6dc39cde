"""All that can be set from outside; the one place that reads the environment (DISCO_…)."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are kept and how much they may take."""

    model_config = SettingsConfigDict(env_prefix="DISCO_", extra="ignore")

    home: Path = Field(default=Path.home() / ".local" / "share" / "disco-musica", description="folder of all data")
    workers: int = Field(default=max(1, os.cpu_count() or 1), ge=1, description="processes that analyse and render")
    worker_memory_mib: int = Field(default=4096, ge=256, description="memory a worker may take")
    task_timeout_s: float = Field(default=900.0, gt=0, description="time one event's processing may take")
    host: str = Field(default="127.0.0.1", description="address the service listens on")
    port: int = Field(default=8765, ge=0, le=65535, description="port the service listens on")
    upload_limit_mib: int = Field(default=4096, ge=1, description="largest upload")
    development: bool = Field(default=False, description="GraphiQL, introspection and suggestions")

    @property
    def database(self) -> Path:
        """The one file that holds the log and every view."""
        return self.home / "disco.sqlite"

    @property
    def blobs(self) -> Path:
        """The folder of blobs."""
        return self.home / "blobs"
