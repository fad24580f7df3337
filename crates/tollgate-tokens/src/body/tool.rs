//! The tools that a request offers.

use serde::Deserialize;
use serde_json::Value;

use super::Json;

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
#[non_exhaustive]
pub enum Tool {
    /// `{"type": "function", "function": {...}}`.
    Function(Function),
    /// A tool of another kind.
    Other(Json),
}

impl From<Value> for Tool {
    fn from(value: Value) -> Self {
        match value.get("function").map(Function::deserialize) {
            Some(Ok(function)) => Self::Function(function),
            _ => Self::Other(Json::from(value)),
        }
    }
}

/// A function that the model may call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its parameters.
    pub parameters: Option<Json>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_function_stays_json() {
        for json in [
            r#"{"type":"web_search"}"#,
            r#"{"function":{"description":"no name"},"type":"function"}"#,
            "7",
        ] {
            let tool: Tool = serde_json::from_str(json).unwrap();
            assert_eq!(tool, Tool::Other(json.parse().unwrap()), "{json}");
        }
    }
}
