//! limitador: fixed windows over a cache, with conditions in an expression language; in memory.

use crate::{Entry, Peer, Role, Terms};
use limitador::{
    RateLimiter,
    limit::{Context, Limit, Namespace},
};
use std::collections::HashMap;

/// More do not fit beside everybody else.
const KEYS_MAX: usize = 4_000_000;

struct Limitador {
    limiter: RateLimiter,
    namespace: Namespace,
}

impl Limitador {
    fn new(terms: &Terms, variables: &[&str]) -> Result<Self, String> {
        let limiter = RateLimiter::new(2 * terms.keys as u64);
        let variables = variables
            .iter()
            .map(|variable| (*variable).try_into())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| "a variable that does not parse")?;
        // A window has no burst apart from its max, and whole seconds.
        limiter.add_limit(Limit::new(
            "bench",
            terms.capacity.into(),
            terms.period.as_secs().max(3_600),
            Vec::new(),
            variables,
        ));
        Ok(Self {
            limiter,
            namespace: "bench".into(),
        })
    }

    fn ask_in(&self, context: &Context<'_>) -> bool {
        self.limiter
            .check_rate_limited_and_update(&self.namespace, context, 1)
            .is_ok_and(|answer| !answer.limited)
    }
}

impl Peer<()> for Limitador {
    type Seat<'a> = Context<'a>;

    fn seat(&self) -> Context<'_> {
        HashMap::new().into()
    }

    fn ask<'a>(&'a self, context: &mut Context<'a>, (): &()) -> bool {
        self.ask_in(context)
    }
}

impl Peer<String> for Limitador {
    type Seat<'a> = ();

    fn seat(&self) {}

    fn ask(&self, (): &mut (), key: &String) -> bool {
        self.ask_in(&HashMap::from([("key".to_owned(), key.clone())]).into())
    }
}

pub(super) fn one_limit() -> Vec<Entry<()>> {
    vec![Entry::new("limitador", Role::Peer, |terms| {
        Ok(Box::new(Limitador::new(terms, &[])?))
    })]
}

pub(super) fn keyed() -> Vec<Entry<String>> {
    vec![Entry::new("limitador", Role::Peer, |terms| {
        if terms.keys > KEYS_MAX {
            return Err(format!("{} keys at more than a KiB each", terms.keys));
        }
        Ok(Box::new(Limitador::new(terms, &["key"])?))
    })]
}
