"""Wire <-> our types, as pure functions: no I/O, no clock, no chance, no logging."""
