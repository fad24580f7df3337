//! The messages of a chat.

use serde::Deserialize;
use serde_json::Value;

use super::Part;
use super::json::{take_object, take_string};
use super::request::or_default;

/// One message of a chat.
///
/// ```
/// use tollgate_tokens::Message;
///
/// let asked = Message::new("user", "And tokens per minute?");
/// let named = Message { name: Some("agent_7".into()), ..asked };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `developer`, `user`, `assistant`, `tool` or `function`.
    pub role: String,
    /// What is said.
    #[serde(default)]
    pub content: Content,
    /// The name of the speaker, among several of one role.
    pub name: Option<String>,
    /// What the assistant said in place of an answer.
    pub refusal: Option<String>,
    /// The tools that the assistant called.
    #[serde(default, deserialize_with = "or_default")]
    pub tool_calls: Vec<Call>,
    /// The function that the assistant called, in the older form.
    pub function_call: Option<Call>,
}

impl Message {
    /// A message of plain text.
    #[must_use]
    pub fn new(role: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: Content::Text(text.into()),
            ..Self::default()
        }
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Text, images and other parts, in order.
    Parts(Vec<Part>),
}

impl Default for Content {
    /// Nothing said, as in a message that only calls tools.
    fn default() -> Self {
        Self::Parts(Vec::new())
    }
}

impl TryFrom<Value> for Content {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::String(text) => Ok(Self::Text(text)),
            Value::Array(parts) => Ok(Self::Parts(parts.into_iter().map(Part::from).collect())),
            _ => Err("content must be a string or an array of parts"),
        }
    }
}

/// A call of a tool or a function by the assistant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub struct Call {
    /// The function called.
    pub name: String,
    /// Its arguments: text that usually is JSON.
    pub arguments: String,
}

impl From<Value> for Call {
    /// Reads `{"function": {"name", "arguments"}}`, the older bare `{"name", "arguments"}`, and custom tools with
    /// their `input`. What is missing is empty.
    fn from(value: Value) -> Self {
        let Value::Object(mut outer) = value else {
            return Self::default();
        };
        let inner = ["function", "custom"]
            .iter()
            .find_map(|key| take_object(&mut outer, key));
        let mut call = inner.unwrap_or(outer);
        let arguments = call.remove("arguments").or_else(|| call.remove("input"));
        Self {
            name: take_string(&mut call, "name").unwrap_or_default(),
            arguments: match arguments {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Message {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn content_is_text_parts_or_absent() {
        assert_eq!(
            message(r#"{"role":"user","content":"Hi"}"#),
            Message::new("user", "Hi")
        );
        let absent = Message {
            role: "assistant".into(),
            ..Message::default()
        };
        assert_eq!(message(r#"{"role":"assistant"}"#), absent);
        let nulls = r#"{"role":"assistant","content":null,"name":null,"tool_calls":null,"refusal":null,"function_call":null}"#;
        assert_eq!(message(nulls), absent);
        let parts = message(r#"{"role":"user","content":[{"type":"text","text":"Hi"}],"later":1}"#);
        assert_eq!(parts.content, Content::Parts(vec![Part::Text("Hi".into())]));
    }

    #[test]
    fn content_of_another_kind_is_refused() {
        let error = serde_json::from_str::<Message>(r#"{"role":"user","content":7}"#).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("content must be a string or an array of parts")
        );
    }

    #[test]
    fn calls_are_read_in_all_their_forms() {
        let call = Call {
            name: "f".into(),
            arguments: r#"{"a":1}"#.into(),
        };
        let calls = r#"[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
            {"type":"custom","custom":{"name":"f","input":"{\"a\":1}"}},{"name":"f","arguments":{"a":1}}]"#;
        let calls: Vec<Call> = serde_json::from_str(calls).unwrap();
        assert_eq!(calls, [call.clone(), call.clone(), call]);
        let broken: Vec<Call> =
            serde_json::from_str(r#"[7,{},{"function":7,"name":null}]"#).unwrap();
        assert_eq!(broken, vec![Call::default(); 3]);
    }
}
