//! Mistakes that a model can be asked to make, to show that it would be noticed.

/// A step of the protocol that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(model_loom),
    expect(unreachable_pub, reason = "only models reach it")
)]
pub enum Flaw {
    /// No fence between publishing a claim and looking for others.
    NoFence,
    /// Other claims of the hash are passed over rather than killed.
    NoKill,
    /// A claim first met after the fence is finished on the spot.
    FinishUnseen,
    /// A claim is activated by a store.
    StoreOnActivate,
    /// A hit takes the slot for the key's own without looking at the hash again.
    TrustTheHint,
    /// A back-out stores the TAT that its charge replaced.
    StoreOnBackOut,
}
