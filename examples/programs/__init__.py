"""Programs for the machine, each with its source, a builder and the calls that use it (docs/programs)."""
