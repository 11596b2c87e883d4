"""Being here makes ``tests/`` importable, so that every test reads the one table of tolerances."""
