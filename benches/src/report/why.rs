//! Why we lose where we lose: kept by hand, since no program can tell.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Reasons, by the target they explain, or by what the names of groups begin with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Why {
    targets: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
}

impl Why {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Why a target is missed.
    #[must_use]
    pub fn target(&self, what: &str) -> &str {
        self.targets
            .get(what)
            .map_or("no reason is known yet", String::as_str)
    }

    /// Why somebody else is faster in a group: the reason with the longest name that fits.
    #[must_use]
    pub fn group(&self, name: &str) -> &str {
        self.groups
            .iter()
            .filter(|(prefix, _)| name.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or("no reason is known yet", |(_, why)| why)
    }
}

#[cfg(test)]
mod tests {
    use super::Why;

    #[test]
    fn the_longest_name_that_fits_tells_why() {
        let why = Why::parse("[groups]\n'a' = 'short'\n'a/b' = 'long'").unwrap();
        assert_eq!(why.group("a/b/c"), "long");
        assert_eq!(why.group("a/c"), "short");
        assert_eq!(why.group("x"), "no reason is known yet");
        assert!(Why::parse("[grops]").is_err());
    }
}
