"""An index that a search for a part of a file name is answered from, in the order of the list.

It is read through from the newest job on, which no index on a whole name could save. PostgreSQL
holds no long names in such an index; there, `gin (names gin_trgm_ops)` of pg_trgm is its equal.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("jobs_by_name", "jobs", ["created_at", "id", "owner", "status", "names"])
    op.drop_index("jobs_by_age", "jobs")  # the new one begins with all of it
