//! A ledger as one JSON object: what `export` writes and `import` reads.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use tollgate_core::{Standing, Wall};
use tollgate_quota::ledger::{AccountKey, AccountRecord, PastPeriod};

use super::Contents;

const FORMAT: u32 = 1;

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
    /// Lent on top when it was exported. An import counts it as spent.
    lent: u64,
    max: u64,
    peak: u64,
    has_periods: bool,
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
        has_periods: account.has_periods,
    };
    let past = |past: &PastPeriod| Past {
        key: Key::from(&past.key),
        stamp: past.standing.stamp,
        ended_ns: past.ended.0,
        committed: past.standing.committed,
        max: past.standing.max,
        peak: past.peak,
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
    if file.format != FORMAT {
        return Err(format!(
            "format {}, this program reads {FORMAT}",
            file.format
        ));
    }
    let account = |account: &Account| {
        let Account {
            committed,
            lent,
            max,
            ..
        } = *account;
        let standing = Standing {
            stamp: account.stamp,
            // Whoever had it lent may have spent it since.
            committed: committed.max(committed.saturating_add(lent).min(max)),
            max,
        };
        let mut record = AccountRecord::new(account.key.key(), standing, account.has_periods);
        record.peak = record.peak.max(account.peak);
        record
    };
    let past = |past: &Past| {
        let standing = Standing {
            stamp: past.stamp,
            committed: past.committed,
            max: past.max,
        };
        PastPeriod::new(past.key.key(), Wall(past.ended_ns), standing, past.peak)
    };
    Ok(Contents {
        accounts: file.accounts.iter().map(account).collect(),
        past: file.history.iter().map(past).collect(),
    })
}
