"""Side by side on the same reports: prompts that tell more or less, bases with ways to train them.

Drafts come from ``model/training/writer.py``, numbers from ``model/evaluation``; what is here is
which runs are made, what each cost, and the page that shows them.
"""
