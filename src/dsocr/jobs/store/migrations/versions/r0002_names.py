"""An index that a search for a part of a file name is answered from.

SQLite reads it through from the newest job on, in the order of the list, which no index on a whole
name could save. PostgreSQL holds no long names in such an index: there it is one of trigrams, if
the server has the extension `pg_trgm`; without it the search reads the table.
"""

import logging

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"

TRIGRAMS = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _create_trigram_index()
        return
    op.create_index("jobs_by_name", "jobs", ["created_at", "id", "owner", "status", "names"])
    op.drop_index("jobs_by_age", "jobs")  # the new one begins with all of it


def _create_trigram_index() -> None:
    if not op.get_bind().execute(text(TRIGRAMS)).scalar():
        logging.getLogger(__name__).warning(
            "PostgreSQL lacks pg_trgm (package postgresql-contrib): names are searched slowly"
        )
        return
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_index(
        "jobs_by_name",
        "jobs",
        ["names"],
        postgresql_using="gin",
        postgresql_ops={"names": "gin_trgm_ops"},
    )
