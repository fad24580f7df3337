//! What a program does with a policy's `[ledger]` that was built without ledgers.
#![cfg(not(any(feature = "ledger", model_loom, model_shuttle)))]

use tollgate_policy::Gate;

const POLICY: &str = "[[limit]]\nname = 'ever'\nunit = 'requests'\nmax = 1\nalgorithm = 'lifetime'\n\n\
    [ledger]\npath = '/nowhere/ledger'\n";

#[test]
fn quota_that_would_forget_is_refused_rather_than_kept_nowhere() {
    let errors = Gate::from_toml(POLICY).unwrap_err().to_string();
    assert!(errors.starts_with("line 7, column 1:"), "{errors}");
    assert!(errors.contains("feature `ledger`"), "{errors}");
    assert!(Gate::builder().without_ledger().build(POLICY).is_ok());
}
