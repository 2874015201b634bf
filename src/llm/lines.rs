//! Cuts a stream of bytes into lines, wherever the network split it.

use crate::error::{Error, Kind, Result};

/// A line of a model server is some hundred bytes; one longer than this is not what we asked for, and would
/// fill the memory.
const MAX_LINE_BYTES: usize = 4 << 20;

/// Bytes in, lines out. A line ends with LF, CRLF or CR; a character that two network reads share arrives whole.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// How much of the buffer was searched for a line end already.
    searched: usize,
    /// The last line ended with CR, so that an LF that follows belongs to it.
    skip_line_feed: bool,
}

impl Lines {
    /// Adds what was read, and gives `each` every line that is now whole, without its end.
    /// Errors: `Upstream` for a line that is too long.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        let mut begin = 0;
        loop {
            if self.skip_line_feed && begin < self.buffer.len() {
                self.skip_line_feed = false;
                if self.buffer[begin] == b'\n' {
                    begin += 1;
                }
            }
            let from = self.searched.max(begin);
            let Some(offset) = memchr::memchr2(b'\n', b'\r', &self.buffer[from..]) else { break };
            let end = from + offset;
            each(&String::from_utf8_lossy(&self.buffer[begin..end]));
            self.skip_line_feed = self.buffer[end] == b'\r';
            begin = end + 1;
            self.searched = begin;
        }
        self.buffer.drain(..begin);
        self.searched = self.buffer.len();
        if self.buffer.len() > MAX_LINE_BYTES {
            let found = format!("the model server sent a line of more than {} MiB", MAX_LINE_BYTES >> 20);
            return Err(Error::new(Kind::Upstream, found).hint("check that the address is a model server's"));
        }
        Ok(())
    }

    /// What stands after the last line end, when the stream has ended.
    pub(super) fn rest(&mut self) -> Option<String> {
        self.searched = 0;
        let rest = std::mem::take(&mut self.buffer);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            lines.push(piece, |line| found.push(line.to_owned())).unwrap();
        }
        found.extend(lines.rest());
        found
    }

    #[test]
    fn all_line_ends_count() {
        assert_eq!(lines(&[b"a\nb\r", b"\nc\rd\n\ne"]), ["a", "b", "c", "d", "", "e"]);
        assert_eq!(lines(&["não".as_bytes().split_at(2).0, "não".as_bytes().split_at(2).1]), ["não"]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut lines = Lines::default();
        let block = vec![b'x'; 1 << 20];
        let error = (0..8).find_map(|_| lines.push(&block, |_| ()).err()).unwrap();
        assert_eq!(error.kind(), Kind::Upstream);
    }

    proptest! {
        #[test]
        fn splits_do_not_matter(text in "[a-zé🦀\r\n]{0,60}", cuts in prop::collection::vec(0usize..200, 0..8)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines(&pieces), lines(&[bytes]));
        }
    }
}
