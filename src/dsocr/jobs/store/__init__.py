"""The job store: tables, commands that change them, queries that read them, migrations."""
