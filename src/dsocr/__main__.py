"""`python -m dsocr` is the `dsocr` command."""

from dsocr.cli import main

main()
