//! A lock-free, exact limiter engine.
