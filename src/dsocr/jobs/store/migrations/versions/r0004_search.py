"""The words of pages, and an index that they are found by."""

import sqlalchemy as sa
from alembic import op

from dsocr.jobs.store.search import index_all

revision = "0004_search"
down_revision = "0003"

# SQLite: an index of the rows of `page_texts`, which the triggers keep up to date.
FTS5 = (
    "CREATE VIRTUAL TABLE page_words USING fts5(words, content='page_texts', content_rowid='id', "
    "tokenize='unicode61 remove_diacritics 2')",
    "CREATE TRIGGER page_texts_added AFTER INSERT ON page_texts BEGIN "
    "INSERT INTO page_words(rowid, words) VALUES (new.id, new.words); END",
    "CREATE TRIGGER page_texts_removed AFTER DELETE ON page_texts BEGIN "
    "INSERT INTO page_words(page_words, rowid, words) VALUES ('delete', old.id, old.words); END",
)

VECTORS = (
    "CREATE TABLE page_words (id integer PRIMARY KEY REFERENCES page_texts ON DELETE CASCADE, "
    "vector tsvector NOT NULL)",
    "CREATE INDEX page_words_by_word ON page_words USING gin (vector)",
)


def upgrade() -> None:
    op.create_table(
        "page_texts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("page", sa.Integer, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
    )
    op.create_index("page_texts_by_page", "page_texts", ["job_id", "page"], unique=True)
    for statement in FTS5 if op.get_bind().dialect.name == "sqlite" else VECTORS:
        op.execute(statement)
    index_all(op.get_bind())
