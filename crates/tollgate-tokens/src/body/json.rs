//! JSON that is kept as it came.

use std::mem;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{RequestError, shape};

/// A JSON value whose shape is not ours to know, such as a schema.
///
/// ```
/// use tollgate_tokens::body::Json;
///
/// let schema: Json = r#"{ "type": "string" }"#.parse()?;
/// assert_eq!(schema.to_compact(), r#"{"type":"string"}"#);
/// # Ok::<(), tollgate_tokens::RequestError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Json(Value);

impl Json {
    pub(crate) const fn value(&self) -> &Value {
        &self.0
    }

    /// The value without blanks between its parts.
    #[must_use]
    pub fn to_compact(&self) -> String {
        self.0.to_string()
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl FromStr for Json {
    type Err = RequestError;

    /// Parses a value within the bounds that hold for bodies.
    fn from_str(json: &str) -> Result<Self, RequestError> {
        shape::check(json.as_bytes())?;
        serde_json::from_str(json).map_err(|error| RequestError::invalid(&error))
    }
}

/// Takes the string `key` out of `members`, if it is one; anything else stays where it is.
pub(super) fn take_string(members: &mut Map<String, Value>, key: &str) -> Option<String> {
    match members.get_mut(key) {
        Some(Value::String(text)) => Some(mem::take(text)),
        _ => None,
    }
}

/// Takes the object `key` out of `members`, if it is one; anything else stays where it is.
pub(super) fn take_object(
    members: &mut Map<String, Value>,
    key: &str,
) -> Option<Map<String, Value>> {
    match members.get_mut(key) {
        Some(Value::Object(object)) => Some(mem::take(object)),
        _ => None,
    }
}
