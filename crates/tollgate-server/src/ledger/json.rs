//! A ledger as one JSON object: what `export` writes and `import` reads.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollgate_core::{Standing, Wall};
use tollgate_policy::Algorithm;
use tollgate_quota::lease::Ahead;
use tollgate_quota::ledger::{AccountKey, AccountRecord, KeptAlgorithm, PastPeriod};

use super::{Contents, table::NAMED_CHARS};
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

/// What names an account. (Not flattened into the two that have it: they would take fields that there are not.)
struct Key<'f> {
    limit: &'f str,
    unit: &'f str,
    algorithm: &'f str,
    scopes: &'f [(String, String)],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    limit: String,
    unit: String,
    algorithm: String,
    scopes: Vec<(String, String)>,
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
#[serde(deny_unknown_fields)]
struct Past {
    limit: String,
    unit: String,
    algorithm: String,
    scopes: Vec<(String, String)>,
    stamp: i64,
    ended_ns: i64,
    committed: u64,
    max: u64,
    peak: u64,
    #[serde(default)]
    refused: u64,
}

impl Account {
    fn key(&self) -> Key<'_> {
        Key {
            limit: &self.limit,
            unit: &self.unit,
            algorithm: &self.algorithm,
            scopes: &self.scopes,
        }
    }
}

impl Past {
    fn key(&self) -> Key<'_> {
        Key {
            limit: &self.limit,
            unit: &self.unit,
            algorithm: &self.algorithm,
            scopes: &self.scopes,
        }
    }
}

impl Key<'_> {
    /// The key and its algorithm, if a limit could have them: an account that none finds again would be as good as lost.
    fn known(&self) -> Result<(AccountKey, KeptAlgorithm), String> {
        let parts = [self.limit, self.unit, self.algorithm];
        let names = ["limit", "unit", "algorithm"];
        if let Some((_, name)) = parts.iter().zip(names).find(|(part, _)| part.is_empty()) {
            return Err(format!("it has an empty {name}"));
        }
        if !units::ALL
            .iter()
            .any(|unit| units::name(*unit) == self.unit)
        {
            let unit = figures::plain(self.unit);
            let known = units::ALL.map(units::name).join(", ");
            return Err(format!(
                "it has a unit that there is not: {unit}; expected one of {known}"
            ));
        }
        let mut names = HashSet::new();
        for (name, _) in self.scopes {
            if name.is_empty() {
                return Err("it has a scope without a name".to_owned());
            }
            if !names.insert(name) {
                let name = figures::shortened(name, NAMED_CHARS);
                return Err(format!("it has the scope `{name}` twice"));
            }
        }
        super::bounded(self.scopes.iter().map(|(_, value)| value.as_str()))?;
        let algorithm = self.algorithm.parse().map_err(|unknown| {
            let algorithm = figures::plain(self.algorithm);
            format!("its algorithm is {algorithm:?}: {unknown}")
        })?;
        if let KeptAlgorithm::Fixed { per_ns }
        | KeptAlgorithm::Window { per_ns }
        | KeptAlgorithm::Log { per_ns } = algorithm
            && !Algorithm::PERSIST_NS.contains(&per_ns)
        {
            let kept = Algorithm::PERSIST_NS;
            let [least, most] = [*kept.start(), *kept.end()]
                .map(|ns| figures::round_span(Duration::from_nanos(ns)));
            return Err(format!(
                "its algorithm is \"{algorithm}\", and a policy keeps windows of {least} to {most}"
            ));
        }
        Ok((self.key(), algorithm))
    }

    fn key(&self) -> AccountKey {
        let (names, values): (Vec<&str>, Vec<&str>) = self
            .scopes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .unzip();
        AccountKey::new(self.limit, self.unit, self.algorithm, &names, &values)
    }
}

pub(super) fn write(out: &mut impl Write, contents: &Contents) -> io::Result<()> {
    let scopes = |key: &AccountKey| {
        let scopes = key.scopes().into_iter();
        scopes
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let account = |account: &AccountRecord| Account {
        limit: account.key.limit().to_owned(),
        unit: account.key.unit().to_owned(),
        algorithm: account.key.algorithm().to_owned(),
        scopes: scopes(&account.key),
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
        limit: past.key.limit().to_owned(),
        unit: past.key.unit().to_owned(),
        algorithm: past.key.algorithm().to_owned(),
        scopes: scopes(&past.key),
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

/// What an export has, read at `now`.
pub(super) fn read(text: &str, now: Wall) -> Result<Contents, String> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        format!("{error}; expected what `tollgate ledger export` writes, or with --policy and --limit a plain state file")
    })?;
    if !(1..=FORMAT).contains(&file.format) {
        return Err(format!(
            "format {}, this program reads up to {FORMAT}",
            file.format
        ));
    }
    let accounts = each("accounts", &file.accounts, |account| {
        record(account, now).map_err(|why| (account.key(), why))
    })?;
    let past = each("history", &file.history, |past| {
        past_period(past, now).map_err(|why| (past.key(), why))
    })?;
    // Of two, either would be lost without a word.
    let mut seen = HashSet::new();
    if let Some(twice) = accounts
        .iter()
        .find(|account| !seen.insert(account.key.bytes()))
    {
        return Err(format!("it has {} twice", super::table::named(&twice.key)));
    }
    let mut seen = HashSet::new();
    let mut past_of = past.iter();
    if let Some(twice) = past_of.find(|past| !seen.insert((past.key.bytes(), past.standing.stamp)))
    {
        return Err(format!("it has {} twice", super::table::past_period(twice)));
    }
    Ok(Contents { accounts, past })
}

/// All of a list, or what is wrong with the first that is, and where that stands.
fn each<'f, T, U>(
    list: &str,
    items: &'f [T],
    read: impl Fn(&'f T) -> Result<U, (Key<'f>, String)>,
) -> Result<Vec<U>, String> {
    let items = items.iter().enumerate();
    items
        .map(|(place, item)| {
            read(item).map_err(|(key, why)| {
                let named = super::table::named(&key.key());
                format!("{list}[{place}], {named}: {why}")
            })
        })
        .collect()
}

fn record(account: &Account, now: Wall) -> Result<AccountRecord, String> {
    let (key, algorithm) = account.key().known()?;
    let period = key.period(account.stamp);
    if account.has_periods != period.is_some() {
        let (says, has) = (account.has_periods, period.is_some());
        return Err(format!(
            "has_periods is {says}, and an account of its algorithm, {:?}, has {}; {has} would be right",
            key.algorithm(),
            if has { "some" } else { "none" },
        ));
    }
    // A lifetime has no time.
    let begins = period.map(|period| period.start);
    let since = begins.or((algorithm != KeptAlgorithm::Lifetime).then_some(Wall(account.stamp)));
    if let Some(since) = since.filter(|since| *since > now) {
        // A later period stays begun whatever the clock says: the quota would not renew itself until then.
        return Err(later("stamp", account.stamp, since, now));
    }
    if let Some(ahead) = &account.ahead {
        let (Some(period), Some(next)) = (period, key.period(ahead.stamp)) else {
            return Err(format!(
                "it has something lent ahead, and an account of its algorithm, {:?}, has no periods; without `ahead` would be right",
                key.algorithm()
            ));
        };
        if next.start > now && next.start > period.end {
            return Err(later("the stamp of `ahead`", ahead.stamp, next.start, now));
        }
    }
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
}

fn past_period(past: &Past, now: Wall) -> Result<PastPeriod, String> {
    let (key, _) = past.key().known()?;
    let ended = Wall(past.ended_ns);
    if ended > now {
        return Err(later("ended_ns", past.ended_ns, ended, now));
    }
    let standing = Standing {
        stamp: past.stamp,
        committed: past.committed,
        max: past.max,
    };
    let mut period = PastPeriod::new(key, ended, standing, past.peak);
    period.refused = past.refused;
    Ok(period)
}

/// A time that has not come.
fn later(what: &str, number: i64, when: Wall, now: Wall) -> String {
    let [when, now] = [when, now].map(super::table::instant);
    format!("{what} is {number}, which is {when}, and this machine's clock says {now}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_NS: i64 = 86_400_000_000_000;
    const NOW: Wall = Wall(DAY_NS + 5);

    fn read(text: &str) -> Result<Contents, String> {
        super::read(text, NOW)
    }

    fn exported() -> serde_json::Value {
        let key = AccountKey::new("m", "tokens", "day in UTC", &["team"], &["x"]);
        let standing = Standing {
            stamp: DAY_NS,
            committed: 7,
            max: 9,
        };
        let mut account = AccountRecord::new(key.clone(), standing, true);
        account.refused = 3;
        account.ahead = Some(Ahead {
            stamp: 2 * DAY_NS,
            units: 2,
        });
        let mut past = PastPeriod::new(key, NOW, standing, 8);
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
    fn past_period_that_stands_there_twice_is_refused_not_chosen() {
        let mut file = exported();
        let mut other = file["history"][0].clone();
        other["stamp"] = 0.into();
        file["history"].as_array_mut().unwrap().push(other.clone());
        read(&file.to_string()).unwrap();
        other["committed"] = 1.into();
        file["history"].as_array_mut().unwrap().push(other);
        let why = refused(&file);
        assert!(why.contains("past period 0 of `m` team=x twice"), "{why}");
    }

    /// It was taken, and no request can ever name it.
    #[test]
    fn account_whose_scope_values_no_request_can_have_is_refused() {
        for (bytes, is_read) in [(4_096, true), (4_097, false)] {
            for list in ["accounts", "history"] {
                let mut file = exported();
                file[list][0]["scopes"][0][1] = "x".repeat(bytes).into();
                let read = read(&file.to_string());
                assert_eq!(read.is_ok(), is_read, "{bytes}");
                if let Err(why) = read {
                    assert!(
                        why.contains("4097 bytes") && why.contains("at most 4096"),
                        "{why}"
                    );
                    assert!(why.len() < 1_000, "{}", why.len());
                }
            }
        }
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

    /// They were passed over without a word: what was lent ahead was lost by a slip of the pen.
    #[test]
    fn field_that_there_is_not_is_refused_by_its_name() {
        for (list, field) in [("accounts", "aheed"), ("history", "comitted")] {
            let mut file = exported();
            file[list][0][field] = 3.into();
            let why = refused(&file);
            assert!(why.contains(&format!("unknown field `{field}`")), "{why}");
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

    /// They were taken, and no limit ever had them: a policy keeps none of a shorter window, and its scopes have a name each.
    #[test]
    fn account_of_a_limit_that_no_policy_keeps_is_refused() {
        let hour = "3600000000000";
        for (per, is_read) in [
            (hour, true),
            ("315360000000000000", true),
            ("3599999999999", false),
            ("315360000000000001", false),
        ] {
            for words in ["windows of", "sliding window of", "log of"] {
                for list in ["accounts", "history"] {
                    let mut file = exported();
                    let algorithm = format!("{words} {per} ns");
                    let has_periods = words == "windows of";
                    file[list][0]["algorithm"] = algorithm.clone().into();
                    if list == "accounts" {
                        let account = file[list][0].as_object_mut().unwrap();
                        account.remove("ahead");
                        account["has_periods"] = has_periods.into();
                        account["stamp"] = 0.into();
                    }
                    let read = read(&file.to_string());
                    assert_eq!(read.is_ok(), is_read, "{algorithm}: {read:?}");
                    if let Err(why) = read {
                        let said = why.contains(&algorithm) && why.contains("1h to 3650d");
                        assert!(said, "{why}");
                    }
                }
            }
        }
        for (scopes, said) in [
            ([["team", "x"], ["team", "y"]], "the scope `team` twice"),
            ([["team", "x"], ["", "y"]], "a scope without a name"),
        ] {
            for list in ["accounts", "history"] {
                let mut file = exported();
                file[list][0]["scopes"] = serde_json::json!(scopes);
                let why = refused(&file);
                assert!(
                    why.contains(&format!("{list}[0]")) && why.contains(said),
                    "{why}"
                );
            }
        }
    }

    /// A stamp of 2096 was taken, and the quota then renewed itself in 2096.
    #[test]
    fn times_that_have_not_come_are_refused_where_they_stand() {
        let then = 3_976_214_400_000_000_000_i64;
        for (list, algorithm, field) in [
            ("accounts", "day in UTC", "stamp"),
            ("accounts", "gcra", "stamp"),
            ("accounts", "log of 3600000000000 ns", "stamp"),
            ("history", "day in UTC", "ended_ns"),
        ] {
            let mut file = exported();
            let item = &mut file[list][0];
            item["algorithm"] = algorithm.into();
            item[field] = then.into();
            if algorithm != "day in UTC" {
                item["has_periods"] = false.into();
                item.as_object_mut().unwrap().remove("ahead");
            }
            let why = refused(&file);
            for part in [
                &*format!("{list}[0], `m` team=x: {field} is {then}"),
                "2096-01-01 00:00:00 UTC",
                "clock says 1970-01-02 00:00:00 UTC",
            ] {
                assert!(why.contains(part), "{why}");
            }
        }
        let mut file = exported();
        file["accounts"][0]["ahead"]["stamp"] = (3 * DAY_NS).into();
        assert!(refused(&file).contains("`ahead`"), "{}", refused(&file));
        // Windows are numbered.
        file = exported();
        let account = &mut file["accounts"][0];
        account["algorithm"] = "windows of 3600000000000 ns".into();
        account["stamp"] = 24.into();
        account["ahead"]["stamp"] = 25.into();
        super::read(&file.to_string(), NOW).unwrap();
        file["accounts"][0]["stamp"] = 25.into();
        assert!(refused(&file).contains("stamp is 25, which is 1970-01-02 01:00:00"));
    }

    #[test]
    fn periods_of_an_account_that_has_none_are_refused() {
        let mut file = exported();
        file["accounts"][0]["algorithm"] = "lifetime".into();
        let why = refused(&file);
        assert!(why.contains("has_periods is true"), "{why}");
        file["accounts"][0]["has_periods"] = false.into();
        let why = refused(&file);
        assert!(why.contains("without `ahead` would be right"), "{why}");
        file["accounts"][0].as_object_mut().unwrap().remove("ahead");
        super::read(&file.to_string(), NOW).unwrap();
    }

    #[test]
    fn algorithm_that_there_is_not_is_refused_and_told_what_there_are() {
        for (list, algorithm) in [
            ("accounts", "leaky bucket"),
            ("accounts", "month from day 1 in Nowhere"),
            ("history", "windows of -1 ns"),
        ] {
            let mut file = exported();
            file[list][0]["algorithm"] = algorithm.into();
            let why = refused(&file);
            let place = format!("{list}[0], `m` team=x: ");
            assert!(why.contains(&place) && why.contains(algorithm), "{why}");
            assert!(why.contains("\"lifetime\", \"gcra\""), "{why}");
        }
    }
}
