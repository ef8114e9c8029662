"""Typeset pages of the kinds that document readers have trouble with, with checks, by seed.

python -m bench.typeset FOLDER [--variants 4] [--seed 0] [--only K05]
"""
