//! The state file that gateways keep today: one month's tokens of one deployment.

use jiff::civil::Date;
use serde::Deserialize;
use tollgate_core::{Standing, Wall};
use tollgate_policy::{Algorithm, CalendarPeriod, CalendarRule, LimitRule, PolicyFile, Unit};
use tollgate_quota::{Calendar, ledger::AccountRecord};

/// What is used of it. (`tpm_quota` is a rate, which the policy has, and `timestamp` when it was written.)
#[derive(Deserialize)]
struct State {
    deployment_name: String,
    total_tokens_this_month: u64,
    quota_month: String,
}

/// The account of `limit` that a state file is about, read at `now`: of the deployment, unless `scopes` give all the values.
pub(super) fn read(
    text: &str,
    policy: &PolicyFile,
    limit: &str,
    scopes: &[(String, String)],
    now: Wall,
) -> Result<AccountRecord, String> {
    let state: State = serde_json::from_str(text).map_err(|error| {
        format!("{error}; expected a state file with deployment_name, total_tokens_this_month and quota_month")
    })?;
    let rule = policy
        .limits
        .iter()
        .find(|rule| rule.name == limit)
        .ok_or_else(|| format!("the policy has no limit `{limit}`"))?;
    let calendar = monthly(rule)?;
    let values = values(rule, &state, scopes)?;
    super::bounded(values.iter().copied())?;
    let key = rule
        .account_key(&values)
        .ok_or_else(|| format!("limit `{limit}` is not kept in a ledger; write persist = true"))?;
    let max = policy.max_of(rule, &values).unwrap_or(u64::MAX);
    let start = start_of(&state.quota_month, calendar)?;
    if start > now {
        // A later period stays begun whatever the clock says: the quota would not renew itself until then.
        return Err(format!(
            "quota_month is {:?}, which has not begun by this machine's clock",
            state.quota_month
        ));
    }
    let standing = Standing {
        stamp: start.0,
        committed: state.total_tokens_this_month,
        max,
    };
    Ok(AccountRecord::new(key, standing, true))
}

fn monthly(rule: &LimitRule) -> Result<&CalendarRule, String> {
    match &rule.algorithm {
        Algorithm::Calendar(calendar)
            if matches!(calendar.period, CalendarPeriod::Month { .. })
                && rule.unit == Unit::Tokens =>
        {
            Ok(calendar)
        }
        _ => Err(format!(
            "limit `{}` does not count tokens by the month, which is what the file says",
            rule.name
        )),
    }
}

fn values<'a>(
    rule: &LimitRule,
    state: &'a State,
    scopes: &'a [(String, String)],
) -> Result<Vec<&'a str>, String> {
    if let Some((name, _)) = scopes.iter().find(|(name, _)| !rule.by.contains(name)) {
        return Err(format!("limit `{}` does not count by `{name}`", rule.name));
    }
    let value = |name: &String| {
        let given = scopes.iter().find(|(known, _)| known == name);
        match (given, rule.by.len()) {
            (Some((_, value)), _) => Ok(value.as_str()),
            (None, 1) => Ok(state.deployment_name.as_str()),
            (None, _) => Err(format!(
                "limit `{}` counts by `{name}` too; say which with --scope {name}=VALUE",
                rule.name
            )),
        }
    };
    rule.by.iter().map(value).collect()
}

/// When the period that begins in that month does.
fn start_of(month: &str, calendar: &CalendarRule) -> Result<Wall, String> {
    let wrong = || format!("quota_month is {month:?}, a month such as \"2026-11\" would be right");
    let first: Date = format!("{month}-01").parse().map_err(|_| wrong())?;
    // A whole timestamp with -01 behind is a date too, west of Greenwich.
    if first.strftime("%Y-%m").to_string() != month {
        return Err(wrong());
    }
    let day = match calendar.period {
        CalendarPeriod::Month { anchor_day } => i8::try_from(anchor_day)
            .unwrap_or(i8::MAX)
            .min(first.days_in_month()),
        _ => 1,
    };
    let date = Date::new(first.year(), first.month(), day).map_err(|_| wrong())?;
    // No zone begins a day later than at noon.
    let noon = date
        .at(12, 0, 0, 0)
        .in_tz(&calendar.zone)
        .map_err(|error| error.to_string())?;
    let calendar =
        Calendar::new(calendar.period, &calendar.zone).map_err(|error| error.to_string())?;
    // Of times that no clock here can tell, the nearest that it can would be another month.
    let noon = i64::try_from(noon.timestamp().as_nanosecond()).map_err(|_| wrong())?;
    let bounds = calendar.bounds(Wall(noon));
    if bounds.start.0 == i64::MIN || bounds.end.0 == i64::MAX {
        return Err(wrong());
    }
    Ok(bounds.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{"deployment_name": "gpt-4o-eu", "total_tokens_this_month": 1234,
        "quota_month": "2026-11", "tpm_quota": 120000, "timestamp": "2026-11-14T12:00:00Z"}"#;

    /// 15 November 2026.
    const NOW: Wall = Wall(1_793_491_200_000_000_000 + 14 * 86_400_000_000_000);

    fn read(
        text: &str,
        policy: &PolicyFile,
        limit: &str,
        scopes: &[(String, String)],
    ) -> Result<AccountRecord, String> {
        super::read(text, policy, limit, scopes, NOW)
    }

    fn policy(more: &str) -> PolicyFile {
        PolicyFile::parse(&format!(
            "[[limit]]\nname = \"m\"\nunit = \"tokens\"\nmax = 5000\nper = \"month\"\nalgorithm = \"calendar\"\n{more}"
        ))
        .unwrap()
    }

    #[test]
    fn state_file_is_the_deployments_month() {
        let policy = policy("by = [\"deployment\"]\nzone = \"Europe/Berlin\"");
        let account = read(STATE, &policy, "m", &[]).unwrap();
        assert_eq!(account.key.scopes(), [("deployment", "gpt-4o-eu")]);
        assert_eq!(
            (account.standing.committed, account.standing.max),
            (1234, 5000)
        );
        // Midnight of 1 November in Berlin.
        assert_eq!(account.standing.stamp, 1_793_487_600_000_000_000);
    }

    #[test]
    fn anchor_day_names_the_period_that_begins_in_the_month() {
        let state = STATE.replace("2026-11\"", "2026-10\"");
        let account = read(&state, &policy("anchor_day = 31"), "m", &[]).unwrap();
        assert_eq!(
            account.standing.stamp,
            1_793_491_200_000_000_000 - 86_400_000_000_000
        );
    }

    #[test]
    fn scopes_are_asked_for_where_the_file_cannot_tell() {
        let policy = policy("by = [\"deployment\", \"team\"]");
        let refused = read(STATE, &policy, "m", &[]).unwrap_err();
        assert!(refused.contains("--scope deployment=VALUE"), "{refused}");
        let scope = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let scopes = [scope("team", "x"), scope("deployment", "d")];
        let account = read(STATE, &policy, "m", &scopes).unwrap();
        assert_eq!(account.key.scopes(), [("deployment", "d"), ("team", "x")]);
        assert!(read(STATE, &policy, "m", &[scope("agent", "a")]).is_err());
    }

    #[test]
    fn other_files_and_limits_are_refused() {
        let policy = policy("");
        assert!(read("{}", &policy, "m", &[]).is_err());
        assert!(read(STATE, &policy, "n", &[]).is_err());
        for month in [
            "11/2026",
            "2026-11-01T00:00",
            "+002026-11",
            "2026-11-01",
            "",
        ] {
            let state = STATE.replace("2026-11\"", &format!("{month}\""));
            let refused = read(&state, &policy, "m", &[]).unwrap_err();
            assert!(refused.contains("would be right"), "{month}: {refused}");
        }
    }
    #[test]
    fn month_that_has_not_begun_or_that_no_clock_can_tell_is_refused() {
        let policy = policy("");
        for (month, said) in [
            ("2026-12", "not begun"),
            ("2099-01", "not begun"),
            ("9999-12", "would be right"),
            ("2262-12", "would be right"),
            ("1677-01", "would be right"),
            ("0001-01", "would be right"),
            ("-9999-01", "would be right"),
        ] {
            let state = STATE.replace("2026-11\"", &format!("{month}\""));
            let refused = read(&state, &policy, "m", &[]).unwrap_err();
            assert!(refused.contains(said), "{month}: {refused}");
        }
    }
}
