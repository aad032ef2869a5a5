"""Takes out of a corpus what no model should learn from, and keeps a ledger of it.

Each rule has a name and can be switched off; what it takes is counted, sampled and judged on
reports whose damage is known.
"""
