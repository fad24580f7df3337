//! Tool definitions, by the heuristic that the vendor publishes.

use serde_json::{Map, Value};

use crate::body::{Function, Tool};
use crate::tally::Tally;

/// Once for a request with tools.
const CLOSE: u64 = 12;
/// Once for a function with properties.
const PROPERTIES: u64 = 3;
const PROPERTY: u64 = 3;
const ENUM_ITEM: u64 = 3;

/// Members that make a schema more than a flat value or, beside `properties`, more than a flat object.
const STRUCTURE: [&str; 12] = [
    "$defs",
    "$ref",
    "additionalItems",
    "allOf",
    "anyOf",
    "definitions",
    "items",
    "not",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "properties",
];

/// Adds all tools of a request, `functions` being the older way to give them. Nothing at all costs nothing.
pub(crate) fn add(tally: &mut Tally, function_init: u64, tools: &[Tool], functions: &[Function]) {
    if tools.is_empty() && functions.is_empty() {
        return;
    }
    for tool in tools {
        match tool {
            Tool::Function(function) => add_function(tally, function_init, function),
            Tool::Other(definition) => {
                tally.framing(function_init);
                tally.text(&definition.to_compact());
            }
        }
    }
    for function in functions {
        add_function(tally, function_init, function);
    }
    tally.framing(CLOSE);
}

fn add_function(tally: &mut Tally, function_init: u64, function: &Function) {
    tally.framing(function_init);
    let description = function.description.as_deref().unwrap_or_default();
    tally.text(&format!("{}:{}", function.name, without_stop(description)));
    if let Some(parameters) = &function.parameters {
        add_parameters(tally, parameters.value());
    }
}

/// The properties one by one where the rule covers them; otherwise the schema as compact JSON.
fn add_parameters(tally: &mut Tally, schema: &Value) {
    let Some(members) = schema.as_object() else {
        return tally.text(&schema.to_string());
    };
    let is_flat = members
        .keys()
        .all(|key| key == "properties" || !STRUCTURE.contains(&key.as_str()));
    match members.get("properties") {
        Some(Value::Object(properties)) if is_flat => {
            if !properties.is_empty() {
                tally.framing(PROPERTIES);
            }
            for (key, property) in properties {
                add_property(tally, key, property);
            }
        }
        None if is_flat => {}
        _ => tally.text(&schema.to_string()),
    }
}

fn add_property(tally: &mut Tally, key: &str, schema: &Value) {
    let Some((kind, members)) = flat(schema) else {
        tally.framing(PROPERTY);
        return tally.text(&format!("{key}:{schema}"));
    };
    // The published rule takes three tokens back for an enumeration: those of its property.
    match members.get("enum").and_then(Value::as_array) {
        None => tally.framing(PROPERTY),
        Some(items) => {
            for item in items {
                tally.framing(ENUM_ITEM);
                match item {
                    Value::String(item) => tally.text(item),
                    other => tally.text(&other.to_string()),
                }
            }
        }
    }
    let description = members.get("description").and_then(Value::as_str);
    let description = without_stop(description.unwrap_or_default());
    tally.text(&format!("{key}:{kind}:{description}"));
}

/// The type and members of a schema that the rule covers: one type that is no object, and no schema within.
fn flat(schema: &Value) -> Option<(&str, &Map<String, Value>)> {
    let members = schema.as_object()?;
    let kind = members.get("type")?.as_str()?;
    let has_structure = members.keys().any(|key| STRUCTURE.contains(&key.as_str()));
    (kind != "object" && !has_structure).then_some((kind, members))
}

fn without_stop(description: &str) -> &str {
    description.strip_suffix('.').unwrap_or(description)
}

#[cfg(test)]
mod tests {
    use crate::{Basis, Encoding};

    use super::*;

    const ENCODING: Encoding = Encoding::O200kBase;

    fn tokens(tools: &str) -> u64 {
        let tools: Vec<Tool> = serde_json::from_str(tools).unwrap();
        let mut tally = Tally::new(Basis::Encoding(ENCODING));
        add(&mut tally, 7, &tools, &[]);
        tally.finish().tokens()
    }

    fn with_parameters(parameters: &str) -> u64 {
        tokens(&format!(
            r#"[{{"type":"function","function":{{"name":"f","description":"D.","parameters":{parameters}}}}}]"#
        ))
    }

    fn with_property(property: &str) -> u64 {
        with_parameters(&format!(
            r#"{{"type":"object","properties":{{"p":{property}}}}}"#
        ))
    }

    #[test]
    fn no_tools_cost_nothing() {
        assert_eq!(tokens("[]"), 0);
    }

    #[test]
    fn a_function_without_properties_is_its_name_and_description() {
        let bare = 7 + ENCODING.count("f:D") + 12;
        assert_eq!(with_parameters("{}"), bare);
        assert_eq!(with_parameters("null"), bare);
        assert_eq!(
            with_parameters(r#"{"type":"object","properties":{}}"#),
            bare
        );
        let nameless = r#"[{"type":"function","function":{"name":"f"}}]"#;
        assert_eq!(tokens(nameless), 7 + ENCODING.count("f:") + 12);
    }

    #[test]
    fn flat_properties_follow_the_rule() {
        let bare = with_parameters("{}");
        let string = bare + 3 + 3 + ENCODING.count("p:string:Why");
        assert_eq!(
            with_property(r#"{"type":"string","description":"Why."}"#),
            string
        );
        let choice = bare
            + 3
            + ENCODING.count("p:integer:")
            + 3
            + ENCODING.count("10")
            + 3
            + ENCODING.count("x y");
        assert_eq!(
            with_property(r#"{"type":"integer","enum":[10,"x y"]}"#),
            choice
        );
    }

    #[test]
    fn a_schema_within_a_property_counts_as_json() {
        let bare = with_parameters("{}");
        for property in [
            r#"{"properties":{"q":{"type":"string"}},"type":"object"}"#,
            r#"{"items":{"type":"string"},"type":"array"}"#,
            r##"{"$ref":"#/$defs/q"}"##,
            r#"{"type":["string","null"]}"#,
            "true",
        ] {
            let expected = bare + 3 + 3 + ENCODING.count(&format!("p:{property}"));
            assert_eq!(with_property(property), expected, "{property}");
        }
    }

    #[test]
    fn parameters_beyond_the_rule_count_as_json() {
        let bare = with_parameters("{}");
        for parameters in [
            r#"{"anyOf":[{"type":"object"}]}"#,
            r#"{"$defs":{"q":{"type":"string"}},"properties":{}}"#,
            r#"{"properties":[]}"#,
            "[1,2,3]",
        ] {
            let expected = bare + ENCODING.count(parameters);
            assert_eq!(with_parameters(parameters), expected, "{parameters}");
        }
    }

    #[test]
    fn other_kinds_of_tools_count_as_json() {
        let tool = r#"{"custom":{"name":"sql"},"type":"custom"}"#;
        assert_eq!(tokens(&format!("[{tool}]")), 7 + ENCODING.count(tool) + 12);
    }

    #[test]
    fn the_older_functions_count_alike() {
        let function: Function =
            serde_json::from_str(r#"{"name":"f","description":"D."}"#).unwrap();
        let mut tally = Tally::new(Basis::Encoding(ENCODING));
        add(&mut tally, 7, &[], &[function]);
        assert_eq!(tally.finish().tokens(), with_parameters("{}"));
    }
}
