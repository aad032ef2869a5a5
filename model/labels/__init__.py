"""Which findings a text names and what it denies, by word tables, in other languages as well."""
