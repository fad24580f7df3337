//! Sliding and fixed windows: exact log, slotted ring, fixed periods.
