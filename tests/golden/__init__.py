"""Golden outputs: what the service answered for fixed pages, held exactly.

`tests/data/recorded` has what the networks found on the pages (`recognition.json.gz`) and the
answers (`samples.json.gz`, `tiny.json.gz`). A refactoring leaves them as they are. After a change
that is meant to change answers, or new versions of Pillow or pdfium, write them again and say in
the commit which answers changed and why:

    python -m tests.golden.record            the answers, recognition replayed
    python -m tests.golden.record --networks the recognition too, then the answers

`store.sqlite3.gz` and `store.json.gz`, a store of jobs and its answers from before the embedded
engine was renamed, are never written again: stored jobs stay readable.
"""
