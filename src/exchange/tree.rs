//! The tree of a foreign conversation, mended: parents that exist, no cycles, an order in which no message comes
//! before the one that it answers.

use std::collections::{BTreeSet, HashMap};

use super::Readout;
use super::told::{Parent, Said, count};
use crate::model::Timestamp;

/// The messages of a conversation and which answers which.
pub(super) struct Tree {
    /// The messages, in the order of the file. One that is there twice has lost its parts the second time.
    pub said: Vec<Said>,
    /// The nearest message before each, on its branch, that says something.
    pub parents: Vec<Option<usize>>,
    /// The message itself, or the nearest one before it that says something.
    visible: Vec<Option<usize>>,
    by_id: HashMap<String, usize>,
}

impl Tree {
    /// A parent that is missing is replaced by the message before, a cycle is cut at its first message, and one
    /// that says nothing lets its children through to its parent. What was mended is counted from message `fresh` on:
    /// those before were there the last time.
    pub fn new(mut said: Vec<Said>, fresh: usize, readout: &mut Readout) -> Self {
        let mut by_id: HashMap<String, usize> = HashMap::with_capacity(said.len());
        for at in 0..said.len() {
            let Some(id) = &said[at].id else { continue };
            match by_id.get(id) {
                Some(first) if !said[at].parts.is_empty() && is_same(&said[*first], &said[at]) => {
                    count(&mut readout.ignored, "message that is there twice");
                    said[at].parts.clear();
                }
                Some(_) => {}
                None => drop(by_id.insert(id.clone(), at)),
            }
        }
        let parent = |(at, one): (usize, &Said)| match &one.parent {
            Parent::Nobody => None,
            Parent::Previous => at.checked_sub(1),
            Parent::Of(id) => by_id.get(id).copied().or_else(|| {
                readout.mended += u64::from(at >= fresh);
                at.checked_sub(1)
            }),
        };
        let mut links: Vec<Option<usize>> = said.iter().enumerate().map(parent).collect();
        readout.mended += cut_cycles(&mut links, fresh);
        let visible = visible(&links, |at| said[at].speaks());
        let parents = links.iter().map(|parent| visible[(*parent)?]).collect();
        Self { said, parents, visible, by_id }
    }

    /// The message of this id, or the nearest before it that says something.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.visible[*self.by_id.get(id)?]
    }

    /// The messages of which no records are made yet and that say something, parents first, otherwise by time and then
    /// as in the file; each with its time: its own, that of the message it answers, or `start`.
    pub fn order(&self, start: Timestamp) -> Vec<(usize, Timestamp)> {
        let time = |at: usize, inherited: Timestamp| self.said[at].time.unwrap_or(inherited);
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.said.len()];
        let mut ready = BTreeSet::new();
        let speaking = |at: &usize| !self.said[*at].parts.is_empty();
        for at in (0..self.said.len()).filter(speaking) {
            match self.parents[at] {
                Some(parent) if self.said[parent].made.is_none() => children[parent].push(at),
                parent => {
                    let before = parent.and_then(|parent| self.said[parent].time);
                    ready.insert((time(at, before.unwrap_or(start)), at));
                }
            }
        }
        let mut order = Vec::with_capacity(self.said.len());
        while let Some((when, at)) = ready.pop_first() {
            order.push((at, when));
            ready.extend(children[at].iter().map(|child| (time(*child, when), *child)));
        }
        order
    }
}

/// Whether two messages of one id are one.
fn is_same(first: &Said, second: &Said) -> bool {
    match first.made {
        Some(made) => made.fingerprint == second.fingerprint(),
        None => first.parts == second.parts,
    }
}

/// Makes the first message of each cycle, in the order of the file, a beginning; how many of them are `fresh`.
fn cut_cycles(links: &mut [Option<usize>], fresh: usize) -> u64 {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        OnPath,
        Done,
    }
    let mut states = vec![State::New; links.len()];
    let mut n_cycles = 0;
    for start in 0..links.len() {
        let mut path = Vec::new();
        let mut next = Some(start);
        while let Some(at) = next.filter(|at| states[*at] == State::New) {
            states[at] = State::OnPath;
            path.push(at);
            next = links[at];
        }
        if let Some(met) = next.filter(|at| states[*at] == State::OnPath)
            && let Some(first) = path.iter().skip_while(|at| **at != met).min()
        {
            links[*first] = None;
            n_cycles += u64::from(*first >= fresh);
        }
        path.into_iter().for_each(|at| states[at] = State::Done);
    }
    n_cycles
}

/// For each message itself, or the nearest one before it that speaks. No cycles may be left.
fn visible(links: &[Option<usize>], speaks: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
    let mut known: Vec<Option<Option<usize>>> = vec![None; links.len()];
    for start in 0..links.len() {
        let mut path = Vec::new();
        let mut next = Some(start);
        let found = loop {
            let Some(at) = next else { break None };
            if let Some(found) = known[at] {
                break found;
            }
            path.push(at);
            if speaks(at) {
                break Some(at);
            }
            next = links[at];
        };
        path.into_iter().for_each(|at| known[at] = Some(found));
    }
    known.into_iter().map(Option::flatten).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::told::Part;
    use crate::model::Role;

    /// `links[i]` is the parent of message i by its number, or none; -1 is one that does not exist.
    fn tree(links: &[Option<i64>], silent: &[usize]) -> (Tree, Readout) {
        let mut readout = Readout::default();
        let said = links.iter().enumerate().map(|(at, parent)| {
            let text = if silent.contains(&at) { "" } else { "x" };
            let parent = parent.map_or(Parent::Nobody, |parent| Parent::Of(parent.to_string()));
            Said::of(vec![Part::said(Role::User, text)]).named(Some(at.to_string())).after(parent)
        });
        (Tree::new(said.collect(), 0, &mut readout), readout)
    }

    #[test]
    fn links_are_mended() {
        let check = |links: &[Option<i64>], silent: &[usize], expected: &[Option<usize>], mended| {
            let (tree, readout) = tree(links, silent);
            assert_eq!((tree.parents.as_slice(), readout.mended), (expected, mended), "{links:?} {silent:?}");
        };
        check(&[None, Some(0), Some(1)], &[], &[None, Some(0), Some(1)], 0);
        check(&[Some(1), Some(0)], &[], &[None, Some(0)], 1);
        check(&[Some(0), Some(-1)], &[], &[None, Some(0)], 2);
        check(&[None, Some(0), Some(1), Some(1)], &[1], &[None, Some(0), Some(0), Some(0)], 0);
        check(&[None, Some(0)], &[0], &[None, None], 0);
        check(&[Some(-1), Some(3), Some(1), Some(2)], &[], &[None, None, Some(1), Some(2)], 2);
    }

    proptest! {
        #[test]
        fn every_message_that_speaks_comes_once_and_after_its_parent(
            links in prop::collection::vec(prop::option::of(-1i64..12), 0..12),
            silent in prop::collection::vec(0usize..12, 0..6),
            times in prop::collection::vec(prop::option::of(0i64..4), 12),
        ) {
            let (mut tree, _) = tree(&links, &silent);
            for (one, time) in tree.said.iter_mut().zip(times) {
                one.time = time.map(Timestamp::from_millis);
            }
            let order: Vec<usize> = tree.order(Timestamp::from_millis(2)).into_iter().map(|(at, _)| at).collect();
            let mut all = order.clone();
            all.sort_unstable();
            let speaking: Vec<usize> = (0..links.len()).filter(|at| !silent.contains(at)).collect();
            prop_assert_eq!(all, speaking);
            for (place, at) in order.iter().enumerate() {
                if let Some(parent) = tree.parents[*at] {
                    prop_assert!(order[..place].contains(&parent));
                }
            }
        }
    }
}
