"""The process: life cycle, journal, pipeline, supervision, audit, settings, command line."""
