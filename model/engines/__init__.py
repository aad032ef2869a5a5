"""Implementations of model/engine.py's ``Engine``; each is imported only by the worker process."""
