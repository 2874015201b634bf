//! What a prompt tells the model to do: the caller's instructions, the person's standing ones, the rules of answering
//! from notes.

use super::fence::Fence;
use super::language::Language;
use super::prompt::{Input, Passage};
use super::templates::{self, Task};
use super::tokens;
use super::wording::Wording;

/// The system message without the standing instructions.
pub(super) struct System {
    caller: Option<String>,
    rules: Option<String>,
}

/// The caller's instructions and the rules.
pub(super) fn without_instructions(input: &Input<'_>, language: Language) -> System {
    let today = input.now.day();
    let rules = || templates::text(input.templates, language, Task::Answer, &[("today", today.as_str())]);
    System {
        caller: input.system.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned),
        rules: input.recalled.as_ref().map(|_| rules()),
    }
}

impl System {
    /// What it takes.
    pub(super) fn tokens(&self) -> u32 {
        [&self.caller, &self.rules]
            .into_iter()
            .flatten()
            .map(|text| tokens::estimate(text) + 2)
            .fold(0, u32::saturating_add)
    }

    /// The whole system message.
    pub(super) fn with(self, instructions: Instructions) -> String {
        let standing = Some(instructions.text).filter(|text| !text.is_empty());
        [self.caller, standing, self.rules].into_iter().flatten().collect::<Vec<_>>().join("\n\n")
    }
}

/// The standing instructions that fit.
pub(super) struct Instructions {
    text: String,
    /// What they take.
    pub(super) tokens: u32,
    n_left_out: usize,
}

impl Instructions {
    /// Takes them whole, in their order, as long as they fit into `limit` tokens: half an instruction may say the
    /// opposite.
    pub(super) fn fill(all: &[Passage], limit: u32, fence: &Fence, wording: &Wording) -> Self {
        let mut filled = Self { text: String::new(), tokens: 0, n_left_out: 0 };
        for passage in all {
            // lines of one instruction stand below each other, so that none can pose as another message
            let lines: Vec<String> = fence.tame(passage.text.trim()).lines().map(str::to_owned).collect();
            let item = format!("\n- {}", lines.join("\n  "));
            let heading = if filled.text.is_empty() { tokens::estimate(wording.instructions) + 2 } else { 0 };
            let cost = tokens::estimate(&item) + heading;
            if filled.tokens + cost > limit {
                filled.n_left_out += 1;
                continue;
            }
            if filled.text.is_empty() {
                filled.text.push_str(wording.instructions);
            }
            filled.text.push_str(&item);
            filled.tokens += cost;
        }
        filled
    }

    /// What was left out, in a sentence.
    pub(super) fn notice(&self) -> Option<String> {
        (self.n_left_out > 0)
            .then(|| format!("{} standing instructions did not fit into the prompt", self.n_left_out))
    }
}
