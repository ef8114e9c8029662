"""Former states of pages: what a reading or a correction has replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("pages", sa.Column("read_options", sa.Text))
    op.create_table(
        "versions",
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("replaced_at", sa.Float, nullable=False),
        sa.Column("options", sa.Text),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("corrections", sa.Text),
    )
