"""Gate 5, the record: what happened in each call, on one clock."""
