//! Calendar periods: known days of real zones, and every zone against a slow model.

#[cfg(not(any(model_loom, model_shuttle)))]
mod civil;
#[cfg(not(any(model_loom, model_shuttle)))]
mod edges;
#[cfg(not(any(model_loom, model_shuttle)))]
mod model;
#[cfg(not(any(model_loom, model_shuttle)))]
mod properties;
