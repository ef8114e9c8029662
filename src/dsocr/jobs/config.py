"""What jobs may take, how long they are kept, and how processes watch one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt


@dataclass(frozen=True, slots=True)
class JobsConfig:
    database_url: str = ""
    """Where jobs are recorded, `sqlite:///path`; unset: `jobs.sqlite3` in the runs folder."""
    max_job_mb: Annotated[float, Gt(0)] = 512
    """Largest job in MiB, all its files together."""
    max_pages: Annotated[int, Gt(0)] = 10_000
    """Most pages of one job."""
    max_files: Annotated[int, Gt(0)] = 1000
    """Most files of one job."""
    max_uploads: Annotated[int, Gt(0)] = 32
    """Most jobs that are being uploaded at once."""
    max_running: Annotated[int, Gt(0)] = 8
    """Most jobs of one key that a process reads side by side; their pages take turns."""
    max_unfinished: Annotated[int, Gt(0)] = 1000
    """Most jobs that wait or run; one more is told to come back."""
    max_jobs_per_key: Annotated[int, Gt(0)] = 10
    """Most unfinished jobs of one key, where keys are set."""
    seconds_per_page: Annotated[float, Ge(0)] = 120
    """A job fails that takes longer than this for each of its pages, all together; what was read
    stays. Waiting for an engine or for room on the disk does not count. 0: it has all the time."""
    max_seconds: Annotated[float, Ge(0)] = 0
    """Longest a job may take, however many pages it has; 0: its pages decide."""
    quota_mb: Annotated[float, Ge(0)] = 0
    """Most MiB that the files of all jobs may take; 0: as much as the disk has."""
    min_free_mb: Annotated[float, Ge(0)] = 256
    """MiB of the disk that new jobs leave free."""
    retention_days: Annotated[float, Ge(0)] = 7
    """How long a finished job is kept; 0: it goes at once."""
    sweep_seconds: Annotated[float, Gt(0)] = 60
    """How often what is too old is looked for."""
    heartbeat_seconds: Annotated[float, Gt(0)] = 3
    """How often a process says that it is well."""
    lease_seconds: Annotated[float, Gt(0)] = 20
    """A process that was silent for so long, as the others see it, loses its jobs to them."""
    poll_seconds: Annotated[float, Gt(0)] = 1
    """How often a process looks for what another one has changed."""
    callback_hosts: tuple[str, ...] = ()
    """Hosts that jobs may call back over https, comma separated, `*.example.org` for a domain;
    empty: no callbacks."""
    callback_secret: str = field(default="", repr=False)
    """Signs callbacks (HMAC-SHA256); without it there are none."""
    callback_private: bool = False
    """Whether callbacks may go to addresses of private networks."""
    callback_seconds: Annotated[float, Gt(0)] = 10
    """How long a callback may take."""
    callback_tries: Annotated[int, Gt(0)] = 8
    """How often it is tried, with pauses that double from 10 seconds to an hour."""
