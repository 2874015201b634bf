//! Packs records into pieces that fit one request each, so that a file may have any size.

use std::collections::HashSet;

use crate::api::limits::MAX_REQUEST_BYTES;
use crate::error::Result;
use crate::exchange::{Readout, Record, record};
use crate::model::ConversationId;

/// What the records of a piece take in a request, about: a small part of what it may, so that several are under way
/// at the same time, that the appends of others need not wait long for the writer, and that Ctrl-C loses little.
pub const PIECE_BYTES: usize = 1 << 20;
/// What a record that fills a piece alone may take: the limit less the envelope around it. The largest message fits,
/// even if every byte of it is escaped twice.
const MOST_BYTES: usize = MAX_REQUEST_BYTES - 4096;

/// Records for one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// The records as NDJSON, as the export writes them.
    pub data: String,
    /// Whether it holds messages of a conversation that an earlier piece began: that one must be stored first.
    pub goes_on: bool,
    /// What the reader has to say beside its records.
    pub told: Readout,
    /// Messages in it, for the progress.
    pub n_messages: u64,
}

/// Fills one piece after the other.
pub struct Packer {
    most: usize,
    piece: Piece,
    length: usize,
    /// The conversations that the piece begins.
    begun: HashSet<ConversationId>,
}

impl Packer {
    /// Pieces of about `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { most, piece: Piece::default(), length: 0, begun: HashSet::new() }
    }

    /// Adds what was read and gives `each` the pieces that it fills. Errors: what `each` answers.
    pub fn add(&mut self, readout: Readout, each: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        let Readout { records, refused, ignored, mended } = readout;
        self.piece.told.append(Readout { refused, ignored, mended, ..Readout::default() });
        for one in records {
            let line = record::line(&one)?;
            let length = length_as_json(&line) + 2;
            if length > MOST_BYTES {
                let (place, reason) = too_large(&one);
                self.piece.told.refuse(place, reason);
                continue;
            }
            // a piece that ends between two conversations lets the next one start at once
            let is_full = match &one {
                Record::Conversation(_) => self.length > self.most / 4 * 3,
                Record::Message(_) | Record::Memory(_) => self.length + length > self.most,
            };
            if is_full && !self.piece.data.is_empty() {
                each(self.take())?;
            }
            match &one {
                Record::Conversation(conversation) => drop(self.begun.insert(conversation.id)),
                Record::Message(message) => {
                    self.piece.goes_on |= !self.begun.contains(&message.conversation_id);
                    self.piece.n_messages += 1;
                }
                Record::Memory(_) => {}
            }
            self.piece.data.push_str(&line);
            self.piece.data.push('\n');
            self.length += length;
        }
        Ok(())
    }

    /// What is left, which may be nothing.
    pub fn take(&mut self) -> Piece {
        self.length = 0;
        self.begun.clear();
        std::mem::take(&mut self.piece)
    }
}

fn too_large(record: &Record) -> (String, String) {
    let place = match record {
        Record::Conversation(it) => format!("conversation {}", it.id),
        Record::Message(it) => format!("message {}", it.id),
        Record::Memory(it) => format!("memory {}", it.id),
    };
    (place, format!("takes more than {MOST_BYTES} bytes, and one request takes no more"))
}

/// How long `text` is as a JSON string.
fn length_as_json(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    });
    2 + escapes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::history;
    use crate::model::Timestamp;

    fn pieces(history: &serde_json::Value, most: usize) -> Vec<Piece> {
        let (mut packer, mut pieces) = (Packer::new(most), vec![]);
        let readout = history::read(&history.to_string(), Timestamp::now()).unwrap();
        packer
            .add(readout, &mut |piece| {
                pieces.push(piece);
                Ok(())
            })
            .unwrap();
        pieces.push(packer.take());
        pieces
    }

    #[test]
    fn the_largest_message_fits_however_it_is_escaped() {
        use crate::api::limits::MAX_CONTENT_BYTES;
        for byte in ["\u{1}", "\"", "\n", "x"] {
            // blank text would be refused for that
            let content = format!("x{}", byte.repeat(MAX_CONTENT_BYTES - 1));
            let history = serde_json::json!([{"messages": [{"role": "user", "content": content}]}]);
            let pieces = pieces(&history, PIECE_BYTES);
            assert!(pieces.iter().all(|piece| piece.told.refused.is_empty()), "{byte:?}");
            let longest = pieces.iter().map(|piece| length_as_json(&piece.data)).max().unwrap();
            assert!(longest <= MOST_BYTES);
        }
    }

    #[test]
    fn a_piece_says_whether_it_must_wait_for_the_one_before() {
        let conversation = |n: usize, said: usize| {
            let said: Vec<_> = (0..said)
                .map(|n| serde_json::json!({"role": "user", "content": format!("message {n}")}))
                .collect();
            serde_json::json!({"title": format!("{n}"), "messages": said})
        };
        let history = serde_json::json!([conversation(1, 40), conversation(2, 2), conversation(3, 2)]);
        let pieces = pieces(&history, 2000);
        let ids = |piece: &Piece, kind: &str| piece.data.lines().filter(|line| line.contains(kind)).count();
        assert!(pieces.len() > 4, "{}", pieces.len());
        assert_eq!(pieces.iter().map(|piece| ids(piece, "\"type\":\"conversation\"")).sum::<usize>(), 3);
        assert_eq!(pieces.iter().map(|piece| piece.n_messages).sum::<u64>(), 44);
        assert!(!pieces[0].goes_on && pieces[1].goes_on, "{pieces:?}");
        assert!(
            pieces.iter().all(|piece| piece.goes_on != piece.data.starts_with("{\"type\":\"conversation\""))
        );
    }

    proptest! {
        #[test]
        fn the_length_is_that_of_the_json(text in any::<String>()) {
            prop_assert_eq!(length_as_json(&text), serde_json::to_string(&text).unwrap().len());
        }
    }
}
