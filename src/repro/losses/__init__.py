"""One file per equation group."""
