//! Waiting in order, on tokio's paused clock and in threads.
#![cfg(feature = "tokio")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tollgate::{
    Acquire, AdmitBlocking, AdmitWithin, Clock, Gate, Limit, Limiter, Nanos, NoTurn, Request,
};

/// A limiter's clock that follows the runtime's, paused or not.
#[derive(Debug)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Nanos {
        Nanos::ZERO + self.0.elapsed()
    }

    fn wall_offset(&self) -> i64 {
        0
    }
}

fn gate(policy: &str) -> Gate {
    let clock = RuntimeClock(Instant::now());
    Gate::builder().clock(clock).build(policy).unwrap()
}

const ONE_A_SECOND: &str =
    "[[limit]]\nname = \"tps\"\nunit = \"tokens\"\nmax = 1\nper = \"1s\"\ncapacity = 10";
const ONE_OPEN: &str =
    "[[limit]]\nname = \"open\"\nunit = \"requests\"\nmax = 1\nalgorithm = \"concurrency\"";

fn tokens(tokens: u64) -> Request<'static> {
    Request::new().input_tokens(tokens)
}

/// Who was served, in order, and when.
type Served = Arc<Mutex<Vec<(&'static str, u64)>>>;

#[tokio::test(start_paused = true)]
async fn turns_are_served_in_the_order_in_which_they_were_taken() {
    let start = Instant::now();
    let limit = Limit::per_second(1).with_capacity(5);
    let limiter = Arc::new(Limiter::with_clock(limit, RuntimeClock(start)).unwrap());
    limiter.acquire(5).await.unwrap();
    let served = Served::default();
    let mut tasks = Vec::new();
    for (name, units) in [("large", 4), ("small", 1), ("smaller", 1)] {
        let (limiter, served) = (Arc::clone(&limiter), Arc::clone(&served));
        tasks.push(tokio::spawn(async move {
            limiter.acquire(units).await.unwrap();
            served
                .lock()
                .unwrap()
                .push((name, start.elapsed().as_secs()));
        }));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        *served.lock().unwrap(),
        [("large", 4), ("small", 5), ("smaller", 6)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_gives_its_place_back() {
    let limiter = Limiter::with_clock(Limit::per_second(1), RuntimeClock(Instant::now())).unwrap();
    limiter.acquire(1).await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(10), limiter.acquire(1)).await;
    assert!(dropped.is_err());
    let wait = Duration::from_secs(1);
    assert!(
        limiter.acquire_within(1, wait).await.is_ok(),
        "the dropped turn would be due first"
    );
}

#[tokio::test(start_paused = true)]
async fn what_can_never_pass_or_not_in_time_is_told_at_once() {
    let start = Instant::now();
    let limiter = Limiter::with_clock(Limit::per_second(1), RuntimeClock(start)).unwrap();
    assert!(matches!(
        limiter.acquire(2).await,
        Err(NoTurn::CostExceedsCapacity(_))
    ));
    limiter.acquire(1).await.unwrap();
    let too_long = limiter.acquire_within(1, Duration::from_millis(999)).await;
    assert!(matches!(too_long, Err(NoTurn::WaitTooLong { .. })));

    let gate = gate(ONE_A_SECOND);
    let never = gate
        .admit_within(&tokens(11), Duration::MAX)
        .await
        .unwrap_err();
    assert!(never.limited().unwrap().never_fits);
    let _all = gate.admit(&tokens(10)).unwrap();
    let late = gate
        .admit_within(&tokens(5), Duration::from_millis(4_999))
        .await
        .unwrap_err();
    assert_eq!(late.retry_after(), Some(Duration::from_secs(5)));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_a_large_request_that_waits() {
    let start = Instant::now();
    let gate = gate(ONE_A_SECOND);
    let _all = gate.admit(&tokens(10)).unwrap();
    let served = Served::default();
    let mut tasks = Vec::new();
    for (name, cost) in [("large", 8), ("small", 1)] {
        let (gate, served) = (gate.clone(), Arc::clone(&served));
        tasks.push(tokio::spawn(async move {
            let request = tokens(cost);
            let kept = gate
                .admit_within(&request, Duration::from_secs(60))
                .await
                .unwrap();
            served
                .lock()
                .unwrap()
                .push((name, start.elapsed().as_secs()));
            kept.settle(*request.estimate());
        }));
        tokio::task::yield_now().await;
    }
    sleep(Duration::from_secs(3)).await;
    // Three units are there, but they are waited for.
    let refused = gate.admit(&tokens(1)).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(5)));
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*served.lock().unwrap(), [("large", 8), ("small", 9)]);
}

/// A waiter used to stand in the line of every limit, and so stopped all others for as long as its own held it back.
#[tokio::test(start_paused = true)]
async fn who_waits_for_its_own_limit_holds_up_nobody_else() {
    let own =
        "[[limit]]\nname = \"own\"\nby = [\"agent\"]\nunit = \"requests\"\nmax = 1\nper = \"1h\"";
    let all = "[[limit]]\nname = \"all\"\nunit = \"requests\"\nmax = 1000\nper = \"1s\"";
    let gate = gate(&format!("{own}\n{all}"));
    let a = Request::new().with("agent", "a");
    let _kept = gate.admit(&a).unwrap();
    let waiting = {
        let gate = gate.clone();
        tokio::spawn(async move {
            let a = Request::new().with("agent", "a");
            gate.admit_within(&a, Duration::from_secs(7_200))
                .await
                .map(drop)
        })
    };
    tokio::task::yield_now().await;
    assert!(gate.admit(&Request::new().with("agent", "b")).is_ok());
    let c = Request::new().with("agent", "c");
    assert!(gate.admit_within(&c, Duration::ZERO).await.is_ok());
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_place_in_line_that_is_dropped_is_the_next_ones() {
    let start = Instant::now();
    let gate = gate(ONE_A_SECOND);
    let _all = gate.admit(&tokens(10)).unwrap();
    let first = {
        let gate = gate.clone();
        tokio::spawn(async move {
            let request = tokens(10);
            gate.admit_within(&request, Duration::from_secs(60))
                .await
                .map(drop)
        })
    };
    tokio::task::yield_now().await;
    let second = {
        let gate = gate.clone();
        tokio::spawn(async move {
            let request = tokens(2);
            gate.admit_within(&request, Duration::from_secs(60))
                .await
                .map(drop)
                .unwrap();
            start.elapsed()
        })
    };
    sleep(Duration::from_millis(1_500)).await;
    first.abort();
    assert!(second.await.unwrap() < Duration::from_millis(2_010));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_open_request_is_woken_when_it_ends() {
    let start = Instant::now();
    let gate = gate(ONE_OPEN);
    let open = gate.admit(&Request::new()).unwrap();
    let waiting = {
        let gate = gate.clone();
        tokio::spawn(async move {
            let request = Request::new();
            gate.admit_within(&request, Duration::from_secs(60))
                .await
                .unwrap()
                .release();
            start.elapsed()
        })
    };
    sleep(Duration::from_secs(7)).await;
    open.settle(Default::default());
    assert!(waiting.await.unwrap() < Duration::from_millis(7_010));
}

const HUNDRED_AN_HOUR: &str =
    "[[limit]]\nname = \"tph\"\nunit = \"tokens\"\nmax = 100\nper = \"1h\"";

/// A patient request of a lower class used to shut its betters out, for whom the rest is kept.
#[tokio::test(start_paused = true)]
async fn a_better_class_passes_those_of_a_lower_one_who_wait() {
    let gate = gate(&format!(
        "{HUNDRED_AN_HOUR}\n[[priority]]\nname = \"batch\"\nshare = 0.5"
    ));
    gate.admit(&tokens(50))
        .unwrap()
        .settle(*tokens(50).estimate());
    let wait = |request: Request<'static>| {
        let gate = gate.clone();
        tokio::spawn(async move {
            let admitted = gate
                .admit_within(&request, Duration::from_secs(7_200))
                .await;
            admitted.map(|kept| kept.settle(*request.estimate()))
        })
    };
    let batch = wait(tokens(40).class("batch"));
    tokio::task::yield_now().await;
    let passed = gate.admit(&tokens(10)).unwrap();
    passed.release();
    let same = gate.admit(&tokens(1).class("batch")).unwrap_err();
    assert_eq!(
        same.limited().unwrap().used,
        50,
        "its own class is behind it"
    );
    // One who waits passes it too: 60 need ten more units, six minutes.
    let start = Instant::now();
    let better = wait(tokens(60));
    better.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 360);
    assert!(!batch.is_finished());
    gate.reset(&[]);
    batch.await.unwrap().unwrap();
}

/// A reload used to wake nobody, and who slept on held up all others.
#[tokio::test(start_paused = true)]
async fn a_reload_wakes_who_waits() {
    let raised = HUNDRED_AN_HOUR.replace("100", "1000");
    let off = format!("{HUNDRED_AN_HOUR}\nmode = \"off\"");
    let lowered = HUNDRED_AN_HOUR.replace("100", "10");
    for (policy, admits) in [(&raised, true), (&off, true), (&lowered, false)] {
        let gate = gate(HUNDRED_AN_HOUR);
        gate.admit(&tokens(100))
            .unwrap()
            .settle(*tokens(100).estimate());
        let start = Instant::now();
        // The second stands behind the first.
        let waiting = [50, 40].map(|cost| {
            let gate = gate.clone();
            tokio::spawn(async move {
                let request = tokens(cost);
                let admitted = gate
                    .admit_within(&request, Duration::from_secs(7_200))
                    .await;
                admitted.map(|kept| kept.settle(*request.estimate()))
            })
        });
        sleep(Duration::from_secs(1)).await;
        gate.reload(policy).unwrap();
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap().is_ok(), admits, "{policy}");
        }
        assert!(start.elapsed() < Duration::from_secs(2), "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_deadline() {
    let start = Instant::now();
    let gate = gate(ONE_OPEN);
    let _open = gate.admit(&Request::new()).unwrap();
    let request = Request::new();
    assert!(
        gate.admit_within(&request, Duration::from_secs(3))
            .await
            .is_err()
    );
    assert_eq!(start.elapsed().as_secs(), 3);
    assert!(gate.explain(&request).len() == 1);
}

#[test]
fn threads_wait_for_each_other() {
    let gate = Gate::from_toml(ONE_OPEN).unwrap();
    let wait = Duration::from_secs(60);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    gate.admit_blocking(&Request::new(), wait)
                        .unwrap()
                        .settle(Default::default());
                }
            });
        }
    });
    assert_eq!(gate.usage(&[])[0].used, 0);
}
