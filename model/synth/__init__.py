"""A corpus of our own: invented reports whose truth is known exactly.

No sentence here is taken from a real report and no patient is meant. The corpus proves the path and
teaches the demo adapter its manners; it says nothing about accuracy on patients.
"""

from model.synth.corpus import LANGUAGES, Corpus, Counts, read_rows, write_corpus

__all__ = ["LANGUAGES", "Corpus", "Counts", "read_rows", "write_corpus"]
