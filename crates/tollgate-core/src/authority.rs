//! The seam between those who spend and those who lend: what every authority can do.

/// Names one lease of one account. An authority never gives the same one twice for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u64);

/// What an account has committed, in a form that outlives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Which period `committed` belongs to, or which instant it was true of: a number that means the same in every
    /// process, by the account's algorithm. It never steps back.
    pub stamp: i64,
    /// Units committed, rounded up.
    pub committed: u64,
    /// The most units that the account's limit admits. What is committed beyond it is debt.
    pub max: u64,
}

/// What the holder of a lease says of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the account has committed.
    pub standing: Standing,
    /// What may still be spent of the lease. It was read before `standing`, so that no unit is in neither.
    pub unspent: u64,
}

/// Where leases come from when the truth is larger than the process: a ledger on disk, say.
///
/// What an authority has lent counts as spent until the holder reports otherwise, so a holder that is lost can only
/// under-use its limit. An account has one lease at a time. Each report closes it, and `renew` opens the next in the
/// same step; a report about any other lease than the open one changes nothing, so one that is delivered twice, or
/// late, credits once. A lease carries the period of its standing, and dies with it.
///
/// A call is not yet a promise: what it answers holds once the authority says so by its own means (a committed
/// transaction, an answer of the network). Until then nothing may be spent of what it lends.
pub trait Authority {
    /// Why it could not be asked.
    type Error;

    /// Lends `units` of an account that has no lease, and whose holder says where it stands.
    ///
    /// # Errors
    /// If the authority cannot be asked. None: the account has a lease, which must be closed first.
    fn lend(
        &mut self,
        account: &[u8],
        standing: Standing,
        units: u64,
    ) -> Result<Option<LeaseId>, Self::Error>;

    /// Closes `lease`, and lends what it has unspent and `more` as another one.
    ///
    /// # Errors
    /// If the authority cannot be asked. None: `lease` is not open, and nothing changed.
    fn renew(
        &mut self,
        account: &[u8],
        lease: LeaseId,
        report: Report,
        more: u64,
    ) -> Result<Option<LeaseId>, Self::Error>;

    /// Closes `lease`: only `standing` counts from now on. False: `lease` is not open, and nothing changed.
    ///
    /// # Errors
    /// If the authority cannot be asked.
    fn give_back(
        &mut self,
        account: &[u8],
        lease: LeaseId,
        standing: Standing,
    ) -> Result<bool, Self::Error>;
}
