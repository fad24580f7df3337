//! Exact limits: time, units, decisions, GCRA and token-bucket cells.
