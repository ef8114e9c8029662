"""What a user gets: the real service driven from outside, beside its engine alone.

python -m bench.service
"""
