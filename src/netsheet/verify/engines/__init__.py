"""Outside programs that recompute what was written, each behind the same interface."""
