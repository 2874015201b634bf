//! Leaving nothing of removed vectors and tokens in the files.

use super::Index;
use crate::error::Result;

impl Index {
    /// Leaves nothing of removed and replaced vectors, nor of their tokens, in the files: merges, then writes the parts
    /// anew. Answers false where nothing was removed since the last time. Searches go on; puts wait.
    ///
    /// LMDB keeps what was removed in its freed pages and in the gaps of the others, so there is no cheaper way that
    /// is sure: it costs a pass over all vectors and, until it is done, their size on the disk once more (200 MB and
    /// about half a second for 100,000 vectors of the default model).
    pub fn erase_removed(&self) -> Result<bool> {
        // tokens go after their vectors, so these are looked at last
        let vectors = self.erase_removed_vectors()?;
        Ok(self.inner.tokens.erase_removed()? || vectors)
    }

    fn erase_removed_vectors(&self) -> Result<bool> {
        if !self.inner.fresh.has_remains()? {
            return Ok(false);
        }
        loop {
            self.merge()?;
            let _only = self.only_one();
            if self.inner.fresh.rewrite_after(|| self.inner.exact.environment.rewrite())? {
                return Ok(true);
            }
        }
    }
}
