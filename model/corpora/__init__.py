"""Reports with their impressions, from wherever a hospital has them, in one row type.

Everything here may be patient data until ``model/deidentify.py`` has been over it, and a rule may
miss a name: files are written for their owner alone.
"""
