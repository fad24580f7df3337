//! Limits that are lifted by a reload, and put back by another.

use tollgate_core::ManualClock;
use tollgate_policy::{Gate, Request};

fn policy(algorithm: &str, max: Option<u64>) -> String {
    let max = max.map_or(String::new(), |max| format!("max = {max}\n"));
    format!(
        "[[limit]]\nname = \"l\"\nby = [\"key\"]\nunit = \"tokens\"\n{algorithm}\n{max}\
         [[override]]\nlimit = \"l\"\nwhere = {{ key = \"other\" }}\nmax = 7"
    )
}

/// What was committed used to be forgotten on the way through no limit at all, though the reload said it was kept.
#[test]
fn a_limit_that_is_lifted_for_a_while_keeps_what_was_committed() {
    for algorithm in [
        "algorithm = \"lifetime\"",
        "algorithm = \"gcra\"\nper = \"1h\"",
        "algorithm = \"window\"\nper = \"1h\"",
        "algorithm = \"log\"\nper = \"1h\"",
        "algorithm = \"fixed\"\nper = \"1h\"",
        "algorithm = \"calendar\"\nper = \"day\"\nzone = \"UTC\"",
    ] {
        let clock = Gate::builder().clock(ManualClock::new());
        let gate = clock.build(&policy(algorithm, Some(100))).unwrap();
        let tokens = |tokens| Request::new().with("key", "k").input_tokens(tokens);
        let admit = |units| {
            gate.admit(&tokens(units))
                .map(|kept| kept.settle(*tokens(units).estimate()))
        };
        let open = gate.admit(&tokens(30)).unwrap();
        admit(70).unwrap();
        assert_eq!(
            gate.reload(&policy(algorithm, None)).unwrap().kept,
            ["l".into()]
        );
        admit(1_000).unwrap();
        assert_eq!(
            gate.reload(&policy(algorithm, Some(100))).unwrap().kept,
            ["l".into()]
        );
        assert!(admit(1).is_err(), "{algorithm}");
        open.release();
        admit(30).unwrap();
        assert!(admit(1).is_err(), "{algorithm}");
    }
}
