"""The checks of a draft, one subject a file; model/draft_checks.py runs them all."""
