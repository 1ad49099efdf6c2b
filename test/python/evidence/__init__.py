"""A second implementation of the evidence format, written from docs/evidence-format.md alone."""
