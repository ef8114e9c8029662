"""The files of jobs: uploads in progress on this host, and what is stored for all hosts."""

from dsocr.jobs.files.job_files import JobFiles as JobFiles
from dsocr.jobs.files.storage import ORPHAN_SECONDS as ORPHAN_SECONDS
