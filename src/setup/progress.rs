//! What a set-up tells whoever watches it: one step at a time.

/// Watches a set-up. The terminal draws bars; [`Quiet`] does nothing.
pub trait Progress: Send + Sync {
    /// A step begins; `total` bytes of work where that is known.
    fn begin(&self, step: &str, total: Option<u64>);
    /// The step has come to byte `position`.
    fn advance(&self, position: u64);
    /// The step is done. A step that fails does not end; its error is the answer of the set-up.
    fn finish(&self);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _step: &str, _total: Option<u64>) {}
    fn advance(&self, _position: u64) {}
    fn finish(&self) {}
}
