"""Limits of jobs, how long they are kept, and the timing of workers and callbacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt

from dsocr.process.capacity import Auto


@dataclass(frozen=True, slots=True)
class JobsConfig:
    database_url: str = field(default="", repr=False)
    """Where jobs are stored: `sqlite:///path`, or `postgresql+psycopg://user:password@host/database`
    with the extra `postgres`; unset: `jobs.sqlite3` in the runs folder."""
    storage_url: str = ""
    """Where the files of jobs are stored: `s3://bucket/prefix`, `gs://…` or `az://…` with the extra
    `cloud`; unset: in the runs folder."""
    link_seconds: Annotated[int, Gt(0)] = 900
    """How long a link to an export in object storage is valid."""
    max_job_mb: Annotated[float, Gt(0)] = 512
    """Largest job in MiB, all its files together."""
    max_pages: Annotated[int, Gt(0)] = 10_000
    """Most pages of one job."""
    max_files: Annotated[int, Gt(0)] = 1000
    """Most files of one job."""
    max_uploads: Annotated[
        Annotated[int, Gt(0)] | None,
        Auto("as many as the engine takes pages at once, as memory allows; at least 32"),
    ] = None
    """Most jobs that are uploaded at once."""
    max_running: Annotated[
        Annotated[int, Gt(0)] | None,
        Auto(
            "8; of short jobs as many as the engine takes pages at once, while fewer than twice as "
            "many pages are left in them"
        ),
    ] = None
    """Most jobs of one key that a process reads at once; their pages alternate."""
    max_unfinished: Annotated[
        Annotated[int, Gt(0)] | None,
        Auto("4 times the pages that the engine takes at once; at least 1000"),
    ] = None
    """Most queued and running jobs; further ones are refused with 429."""
    max_jobs_per_key: Annotated[
        Annotated[int, Gt(0)] | None,
        Auto("as many as the engine takes pages at once; at least 10"),
    ] = None
    """Most unfinished jobs of one key, where keys are set."""
    seconds_per_page: Annotated[float, Ge(0)] = 120
    """Time limit of a job: this many seconds times its pages. Past it the job fails and keeps the
    pages that were read. Waiting for an engine or for disk space does not count. 0: no limit."""
    max_seconds: Annotated[float, Ge(0)] = 0
    """Longest time limit of a job of any number of pages; 0: only the limit per page."""
    quota_mb: Annotated[float, Ge(0)] = 0
    """Most MiB that the files of all jobs may take; 0: no limit but the disk."""
    min_free_mb: Annotated[float, Ge(0)] = 256
    """MiB of the disk that new jobs leave free."""
    retention_days: Annotated[float, Ge(0)] = 7
    """How long a finished job is kept; 0: it is deleted at once."""
    sweep_seconds: Annotated[float, Gt(0)] = 60
    """Interval of the search for jobs to delete."""
    heartbeat_seconds: Annotated[float, Gt(0)] = 3
    """Interval of a worker's heartbeats."""
    lease_seconds: Annotated[float, Gt(0)] = 20
    """Other workers may claim the jobs of a worker without a heartbeat for this long."""
    poll_seconds: Annotated[float, Gt(0)] = 1
    """Interval at which a process looks for changes made by others."""
    callback_hosts: tuple[str, ...] = ()
    """Hosts that jobs may call back over https, comma separated, `*.example.org` for a domain;
    empty: no callbacks."""
    callback_secret: str = field(default="", repr=False)
    """Signs callbacks (HMAC-SHA256); unset: no callbacks."""
    callback_private: bool = False
    """Whether callbacks may go to addresses of private networks."""
    callback_seconds: Annotated[float, Gt(0)] = 10
    """Timeout of a callback."""
    callback_tries: Annotated[int, Gt(0)] = 8
    """Most attempts of a callback, with pauses that double from 10 seconds to an hour."""
