//! Calendar quotas, lifetime budgets and meters that refund.
