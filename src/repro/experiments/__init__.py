"""A row of a table is a config; a run is train, evaluate, record."""
