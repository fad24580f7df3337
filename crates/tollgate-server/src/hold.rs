//! How long each admitted request holds its reservation before it settles.

use std::time::Duration;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// How holds are spread about their mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Distribution {
    /// Every hold is the mean.
    Fixed,
    /// Exponential: many short ones, a few long ones.
    Exponential,
}

/// Draws holds, the same ones for the same seed.
///
/// One is drawn for every row, admitted or not, so that a row's hold does not hang on what a policy
/// decided about the rows before it, and two policies can be compared.
#[derive(Debug)]
pub(crate) struct Holds {
    mean: Duration,
    distribution: Distribution,
    random: Pcg64,
}

impl Holds {
    pub(crate) fn new(mean: Duration, distribution: Distribution, seed: u64) -> Self {
        Self {
            mean,
            distribution,
            random: Pcg64::seed_from_u64(seed),
        }
    }

    /// At most 37 times the mean.
    pub(crate) fn draw(&mut self) -> Duration {
        match self.distribution {
            Distribution::Fixed => self.mean,
            Distribution::Exponential => {
                // 53 random bits make a float above 0 and up to 1, each as likely as the other.
                #[expect(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
                let uniform = ((self.random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
                self.mean.mul_f64(-uniform.ln())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_holds_have_their_mean_and_their_seed() {
        let mean = Duration::from_secs(30);
        let mut holds = Holds::new(mean, Distribution::Exponential, 7);
        let drawn: Vec<_> = (0..20_000).map(|_| holds.draw()).collect();
        let sum: Duration = drawn.iter().sum();
        let average = sum / 20_000;
        assert!(
            average > mean.mul_f64(0.97) && average < mean.mul_f64(1.03),
            "{average:?}"
        );
        // A share of 1/e is longer than the mean.
        let longer = drawn.iter().filter(|hold| **hold > mean).count();
        assert!((7_000..7_720).contains(&longer), "{longer}");
        let mut again = Holds::new(mean, Distribution::Exponential, 7);
        assert!(drawn.iter().all(|hold| *hold == again.draw()));
        assert_ne!(
            Holds::new(mean, Distribution::Exponential, 8).draw(),
            drawn[0]
        );
    }

    #[test]
    fn fixed_holds_are_all_the_mean() {
        let mut holds = Holds::new(Duration::from_secs(30), Distribution::Fixed, 7);
        assert!((0..10).all(|_| holds.draw() == Duration::from_secs(30)));
        let mut at_once = Holds::new(Duration::ZERO, Distribution::Exponential, 7);
        assert!((0..10).all(|_| at_once.draw().is_zero()));
    }
}
