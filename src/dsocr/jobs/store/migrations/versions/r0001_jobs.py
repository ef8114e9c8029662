"""Jobs, their files and pages, and the processes that read them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Bytes = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("bytes", Bytes, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("dpi", sa.Float),
        sa.Column("wanted_engine", sa.String(32)),
        sa.Column("engine", sa.String(32), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("pages_total", sa.Integer, nullable=False),
        sa.Column("pages_done", sa.Integer, nullable=False),
        sa.Column("pages_failed", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
        sa.Column("finished_at", sa.Float),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.Text),
        sa.Column("leased_by", sa.String(32)),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("leased_at", sa.Float),
        sa.Column("done_at_lease", sa.Integer, nullable=False),
        sa.Column("idempotency_key", sa.String(256)),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("callback_url", sa.Text),
        sa.Column("callback_tries", sa.Integer, nullable=False),
        sa.Column("callback_due_at", sa.Float),
    )
    op.create_index("jobs_by_age", "jobs", ["created_at", "id"])
    op.create_index("jobs_by_status", "jobs", ["status", "created_at", "id"])
    op.create_index("jobs_by_owner", "jobs", ["owner", "created_at", "id"])
    op.create_index("jobs_by_end", "jobs", ["finished_at"])
    op.create_index("jobs_by_callback", "jobs", ["callback_due_at"])
    op.create_index("jobs_once", "jobs", ["owner", "idempotency_key"], unique=True)
    op.create_table(
        "files",
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", Bytes, nullable=False),
        sa.Column("num_pages", sa.Integer, nullable=False),
        sa.Column("password", sa.Text),
    )
    op.create_table(
        "pages",
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("file", sa.Integer, nullable=False),
        sa.Column("file_page", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Column("options", sa.Text),
        sa.Column("dpi", sa.Float),
        sa.Column("seq", sa.Integer),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("news", sa.Text),
        sa.Column("result", sa.Text),
        sa.Column("corrections", sa.Text),
    )
    op.create_index("pages_by_seq", "pages", ["job_id", "seq"])
    op.create_table(
        "processes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("beat", sa.Integer, nullable=False),
    )
