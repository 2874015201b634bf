//! Goes through the bytes of one JSON value, however they come in pieces, to find where it ends.

/// Where in a value the scanner is.
#[derive(Debug, Default)]
pub(super) struct Walk {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    in_word: bool,
}

impl Walk {
    /// Whether no bracket and no string is open.
    pub fn is_outside(&self) -> bool {
        self.depth == 0 && !self.in_string
    }

    /// How many bytes belong to the value, and whether it is over with them.
    pub fn walk(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                if std::mem::take(&mut self.is_escaped) {
                    at += 1;
                    continue;
                }
                let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at..]) else {
                    return (bytes.len(), false);
                };
                at += found + 1;
                if bytes[at - 1] == b'\\' {
                    self.is_escaped = true;
                    continue;
                }
                self.in_string = false;
                if self.depth == 0 {
                    return (at, true);
                }
                continue;
            }
            match bytes[at] {
                b'"' if self.in_word => return (at, true),
                b'"' => self.in_string = true,
                b'{' | b'[' if self.in_word => return (at, true),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    // a bare word before it; or nothing, and then it is taken so that the scanner goes on
                    if self.depth == 0 {
                        return (if self.in_word { at } else { at + 1 }, true);
                    }
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                byte if self.depth == 0 => match byte {
                    b',' | b':' => return (at.max(usize::from(!self.in_word)), true),
                    byte if byte.is_ascii_whitespace() => return (at, true),
                    _ => self.in_word = true,
                },
                _ => {}
            }
            at += 1;
        }
        (at, false)
    }
}
