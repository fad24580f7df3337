//! The body of a request, as far as it costs tokens.
//!
//! The shapes are those of the chat completions, completions and embeddings requests of OpenAI, which most vendors
//! understand. They are read tolerantly: members not named here are skipped, `null` is absence, and parts and tools of
//! a kind not known are kept as JSON. All are plain values that may also be built in code.

mod error;
mod json;
mod message;
mod part;
mod prompt;
mod request;
mod shape;
mod tool;

pub use error::RequestError;
pub use json::Json;
pub use message::{Call, Content, Message};
pub use part::Part;
pub use prompt::Prompt;
pub use request::RequestBody;
pub use shape::{BODY_BYTES_MAX, DEPTH_MAX, VALUES_MAX};
pub use tool::{Function, Tool};
