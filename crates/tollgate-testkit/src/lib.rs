//! Oracles and generators that judge Tollgate's limiters.
