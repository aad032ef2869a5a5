"""Train on one institution, test on all: what a draft writer loses away from home, and its cost.

Torch is imported when something is trained or written, not when this package is.
"""
