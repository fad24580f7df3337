/// What becomes of a new key when all slots in which it might live belong to others whose limit is not whole yet.
///
/// A key in use, let alone one in debt, is never thrown out to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It is denied, and told how long until a slot is free: safe, and the default. Known keys notice nothing.
    #[default]
    Deny,
    /// It is allowed and not counted: no limit holds for it until it finds a slot.
    Allow,
    /// It shares one cell with all keys of the same home line that find no slot. The cell counts time, so that keys of
    /// all classes may share it. A key that finds a slot later starts there with its whole capacity, so over
    /// the time around that it may be admitted one capacity too many. Takes a quarter more memory.
    SharedCell,
}
