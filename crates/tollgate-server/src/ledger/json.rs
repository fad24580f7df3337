//! A ledger as one JSON object: what `export` writes and `import` reads.

use std::collections::HashSet;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use tollgate_core::{Standing, Wall};
use tollgate_quota::lease::Ahead;
use tollgate_quota::ledger::{AccountKey, AccountRecord, PastPeriod};

use super::Contents;
use crate::{figures, units};

/// What is written. Format 1 had nothing lent ahead.
const FORMAT: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    accounts: Vec<Account>,
    history: Vec<Past>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    limit: String,
    unit: String,
    algorithm: String,
    scopes: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct Account {
    #[serde(flatten)]
    key: Key,
    stamp: i64,
    committed: u64,
    /// Lent on top when it was exported.
    lent: u64,
    max: u64,
    peak: u64,
    #[serde(default)]
    refused: u64,
    has_periods: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ahead: Option<LentAhead>,
}

/// Lent of the next period when it was exported.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LentAhead {
    stamp: i64,
    units: u64,
}

#[derive(Serialize, Deserialize)]
struct Past {
    #[serde(flatten)]
    key: Key,
    stamp: i64,
    ended_ns: i64,
    committed: u64,
    max: u64,
    peak: u64,
    #[serde(default)]
    refused: u64,
}

impl From<&AccountKey> for Key {
    fn from(key: &AccountKey) -> Self {
        let scopes = key.scopes().into_iter();
        Self {
            limit: key.limit().to_owned(),
            unit: key.unit().to_owned(),
            algorithm: key.algorithm().to_owned(),
            scopes: scopes
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

impl Key {
    /// The key, if a limit could have it: an account that none finds again would be as good as lost.
    fn known(&self) -> Result<AccountKey, String> {
        let parts = [&self.limit, &self.unit, &self.algorithm];
        let names = ["limit", "unit", "algorithm"];
        if let Some((_, name)) = parts.iter().zip(names).find(|(part, _)| part.is_empty()) {
            return Err(format!("an account has an empty {name}"));
        }
        if !units::ALL
            .iter()
            .any(|unit| units::name(*unit) == self.unit)
        {
            let unit = figures::plain(&self.unit);
            return Err(format!("an account has a unit that there is not: {unit}"));
        }
        Ok(self.key())
    }

    fn key(&self) -> AccountKey {
        let (names, values): (Vec<&str>, Vec<&str>) = self
            .scopes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .unzip();
        AccountKey::new(&self.limit, &self.unit, &self.algorithm, &names, &values)
    }
}

pub(super) fn write(out: &mut impl Write, contents: &Contents) -> io::Result<()> {
    let account = |account: &AccountRecord| Account {
        key: Key::from(&account.key),
        stamp: account.standing.stamp,
        committed: account.standing.committed,
        lent: account.out,
        max: account.standing.max,
        peak: account.peak,
        refused: account.refused,
        has_periods: account.has_periods,
        ahead: account
            .ahead
            .map(|Ahead { stamp, units }| LentAhead { stamp, units }),
    };
    let past = |past: &PastPeriod| Past {
        key: Key::from(&past.key),
        stamp: past.standing.stamp,
        ended_ns: past.ended.0,
        committed: past.standing.committed,
        max: past.standing.max,
        peak: past.peak,
        refused: past.refused,
    };
    let file = File {
        format: FORMAT,
        accounts: contents.accounts.iter().map(account).collect(),
        history: contents.past.iter().map(past).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &file)?;
    out.write_all(b"\n")
}

pub(super) fn read(text: &str) -> Result<Contents, String> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        format!("{error}; expected what `tollgate ledger export` writes, or with --policy and --limit a plain state file")
    })?;
    if !(1..=FORMAT).contains(&file.format) {
        return Err(format!(
            "format {}, this program reads up to {FORMAT}",
            file.format
        ));
    }
    let account = |account: &Account| {
        let key = account.key.known()?;
        let standing = Standing {
            stamp: account.stamp,
            committed: account.committed,
            max: account.max,
        };
        let mut record = AccountRecord::new(key, standing, account.has_periods);
        record.peak = record.peak.max(account.peak);
        record.refused = account.refused;
        // Whoever had it lent may have spent it since: it counts as spent when the account is next used.
        record.out = account.lent;
        let ahead = account.ahead.as_ref();
        record.ahead = ahead.map(|&LentAhead { stamp, units }| Ahead { stamp, units });
        Ok(record)
    };
    let past = |past: &Past| {
        let key = past.key.known()?;
        let standing = Standing {
            stamp: past.stamp,
            committed: past.committed,
            max: past.max,
        };
        let mut period = PastPeriod::new(key, Wall(past.ended_ns), standing, past.peak);
        period.refused = past.refused;
        Ok(period)
    };
    let accounts: Vec<_> = file
        .accounts
        .iter()
        .map(account)
        .collect::<Result<_, String>>()?;
    let past: Vec<_> = file
        .history
        .iter()
        .map(past)
        .collect::<Result<_, String>>()?;
    // Of two, either would be lost without a word.
    let mut seen = HashSet::new();
    if let Some(twice) = accounts
        .iter()
        .find(|account| !seen.insert(account.key.bytes()))
    {
        return Err(format!("it has {} twice", super::table::named(&twice.key)));
    }
    Ok(Contents { accounts, past })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported() -> serde_json::Value {
        let key = AccountKey::new("m", "tokens", "lifetime", &["team"], &["x"]);
        let standing = Standing {
            stamp: 0,
            committed: 7,
            max: 9,
        };
        let mut account = AccountRecord::new(key.clone(), standing, false);
        account.refused = 3;
        account.ahead = Some(Ahead {
            stamp: 11,
            units: 2,
        });
        let mut past = PastPeriod::new(key, Wall(5), standing, 8);
        past.refused = 4;
        let contents = Contents {
            accounts: vec![account],
            past: vec![past],
        };
        let mut text = Vec::new();
        write(&mut text, &contents).unwrap();
        let again = read(str::from_utf8(&text).unwrap()).unwrap();
        assert_eq!(again.accounts, contents.accounts);
        assert_eq!(again.past, contents.past);
        serde_json::from_slice(&text).unwrap()
    }

    fn refused(file: &serde_json::Value) -> String {
        read(&file.to_string()).unwrap_err()
    }

    #[test]
    fn account_that_stands_there_twice_is_refused_not_chosen() {
        let mut file = exported();
        let mut twice = file["accounts"][0].clone();
        twice["committed"] = 1.into();
        file["accounts"].as_array_mut().unwrap().push(twice);
        assert!(
            refused(&file).contains("`m` team=x twice"),
            "{}",
            refused(&file)
        );
    }

    #[test]
    fn export_of_format_1_is_read_and_one_of_a_newer_is_refused() {
        let mut file = exported();
        file["accounts"][0].as_object_mut().unwrap().remove("ahead");
        file["format"] = 1.into();
        assert_eq!(read(&file.to_string()).unwrap().accounts[0].ahead, None);
        for format in [0, 3] {
            file["format"] = format.into();
            assert!(refused(&file).contains("format"), "{}", refused(&file));
        }
    }

    #[test]
    fn account_that_no_limit_would_find_again_is_refused() {
        for (field, value) in [("limit", ""), ("unit", "bananas"), ("algorithm", "")] {
            let mut file = exported();
            file["accounts"][0][field] = value.into();
            assert!(refused(&file).contains(field), "{}", refused(&file));
        }
    }
}
