//! The scores of a search by words, against their definitions worked out text by text.

use std::collections::HashMap;

use proptest::prelude::*;

use crate::store::address::{address, length_of};
use crate::store::lexical::constants::*;
use crate::store::testing::{append, said, store};
use crate::store::{Item, LexicalQuery};
use crate::text::{Analysis, Question, QuestionWord, Term};

/// A text as its analysis gives it.
struct Text {
    item: Item,
    conversation: i64,
    seq: i64,
    stems: Vec<String>,
    others: Vec<String>,
}

impl Text {
    fn new(item: Item, conversation: i64, seq: i64, text: &str) -> Self {
        let Analysis { stems, others, .. } = Analysis::of(text);
        let list = |terms: &str| terms.split_whitespace().map(str::to_owned).collect();
        Self { item, conversation, seq, stems: list(&stems), others: list(&others) }
    }

    fn length(&self) -> f64 {
        length_of(address(self.conversation, self.seq, self.stems.len()).unwrap())
    }

    fn places(&self, word: &QuestionWord) -> Vec<usize> {
        (0..self.stems.len()).filter(|place| is_any(&self.stems[*place], &word.stems)).collect()
    }

    fn beside(&self, word: &QuestionWord) -> usize {
        self.others.iter().filter(|term| is_any(term, &word.stems)).count()
    }

    fn count(&self, word: &QuestionWord) -> f64 {
        self.places(word).len().max(self.beside(word)) as f64
    }

    fn surface(&self, word: &QuestionWord) -> f64 {
        let all = self.stems.iter().chain(&self.others);
        all.filter(|term| is_any(term, &word.surfaces)).count() as f64
    }
}

fn is_any(term: &str, terms: &[Term]) -> bool {
    terms.iter().any(|one| match one {
        Term::Whole(whole) => whole == term,
        Term::Beginning(beginning) => term.starts_with(beginning.as_str()),
    })
}

struct Naive<'a> {
    texts: &'a [Text],
    question: Question,
}

impl Naive<'_> {
    fn rarity(&self, holds: impl Fn(&Text) -> bool) -> f64 {
        let holding = self.texts.iter().filter(|text| holds(text)).count() as f64;
        let all = self.texts.len() as f64;
        (1.0 + (all - holding + 0.5) / (holding + 0.5)).max(1.0).ln()
    }

    fn norm(&self, text: &Text) -> f64 {
        let sum: usize = self.texts.iter().map(|text| text.stems.len()).sum();
        let average = (sum as f64 / self.texts.len() as f64).clamp(4.0, f64::from(BLOCK));
        K1 * (1.0 - B + B * text.length().min(f64::from(BLOCK)) / average)
    }

    fn turn(&self, text: &Text) -> f64 {
        let norm = self.norm(text);
        let sum = |count: &dyn Fn(&QuestionWord) -> f64| -> f64 {
            let words = self.question.words.iter();
            words
                .map(|word| {
                    let count = count(word);
                    self.rarity(|text| text.count(word) > 0.0) * count / (count + norm)
                })
                .sum()
        };
        let is_placed = self.question.words.iter().any(|word| !text.places(word).is_empty());
        if text.length() <= f64::from(BLOCK) || !is_placed {
            return sum(&|word| text.count(word));
        }
        let (block, step) = (BLOCK as usize, STEP as usize);
        let blocks = (0..text.stems.len()).step_by(step).map(|start| {
            sum(&|word| {
                let placed = text.places(word).iter().filter(|p| (start..start + block).contains(*p)).count();
                placed.max(text.beside(word).min(1)) as f64
            })
        });
        blocks.fold(0.0, f64::max)
    }

    fn near(&self, text: &Text) -> f64 {
        let of = |distance: i64| {
            let there =
                |other: &&Text| (other.conversation, other.seq) == (text.conversation, text.seq + distance);
            let found = self.texts.iter().find(there).filter(|_| text.conversation > 0 || distance == 0);
            found.map_or(0.0, |other| self.turn(other))
        };
        SHARES.iter().map(|(distance, share)| share * of(*distance)).sum()
    }

    fn session(&self, text: &Text) -> f64 {
        let score = |is_in: &dyn Fn(&Text) -> bool| -> f64 {
            let words = self.question.words.iter();
            words
                .map(|word| {
                    let count: f64 = self.texts.iter().filter(|t| is_in(t)).map(|t| t.count(word)).sum();
                    self.rarity(|text| text.count(word) > 0.0) * count / (count + SESSION_K)
                })
                .sum()
        };
        if text.conversation == 0 {
            return score(&|other| other.item == text.item);
        }
        let half = (text.seq - 1) / HALF;
        let stretch = |first: i64| {
            score(&|other: &Text| {
                other.conversation == text.conversation
                    && (first * HALF < other.seq && other.seq <= (first + 2) * HALF)
            })
        };
        stretch(half).max(stretch(half - 1))
    }

    fn pairs(&self, text: &Text) -> f64 {
        let mut asked = Vec::new();
        for distance in [1, 2] {
            for (a, b) in self.question.sequence.iter().zip(self.question.sequence.iter().skip(distance)) {
                if a != b && !asked.contains(&(*a, *b)) {
                    asked.push((*a, *b));
                }
            }
        }
        let together = |text: &Text, (a, b): (usize, usize)| {
            let (a, b) = (text.places(&self.question.words[a]), text.places(&self.question.words[b]));
            let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
            pairs.filter(|(a, b)| **b == **a + 1 || **b == **a + 2).count() as f64
        };
        let scores = asked.into_iter().map(|pair| {
            let n = together(text, pair);
            self.rarity(|text| together(text, pair) > 0.0) * n / (n + PAIR_K)
        });
        scores.sum()
    }

    fn surface(&self, text: &Text) -> f64 {
        let norm = self.norm(text);
        let words = self.question.words.iter();
        words
            .map(|word| {
                let count = text.surface(word);
                self.rarity(|text| text.surface(word) > 0.0) * count / (count + norm)
            })
            .sum()
    }
}

const WORDS: &[&str] = &[
    "deploy",
    "deployed",
    "the",
    "servers",
    "server",
    "reunião",
    "reuniões",
    "o",
    "de",
    "prazo",
    "fooBar",
    "foo_bar",
    "bar",
    "日本語",
    "日",
    "🎉",
    "house",
    "casa",
    "casas",
    "->",
    "is",
    "não",
];

fn text(least: usize, most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), least..most).prop_map(|words| words.join(" "))
}

fn texts() -> impl Strategy<Value = Vec<Vec<String>>> {
    let message = prop_oneof![12 => text(0, 8), 2 => text(5, 40), 1 => text(150, 500)];
    prop::collection::vec(prop::collection::vec(message, 1..70), 1..3)
}

#[test]
fn scores_are_what_they_are_defined_as() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { cases: 10, max_shrink_iters: 200, ..ProptestConfig::default() };
    proptest!(config, |(
        conversations in texts(), memories in prop::collection::vec(text(1, 12), 0..5),
        questions in prop::collection::vec(text(1, 7), 3),
    )| {
        runtime.block_on(async {
            let store = store().await;
            let mut texts = Vec::new();
            let mut number = 0;
            for (conversation, messages) in conversations.iter().enumerate() {
                let id = store.conversation_of("c", None).await;
                store.append(append(id, messages.iter().map(|text| said(text)).collect())).await.unwrap();
                for (seq, text) in messages.iter().enumerate() {
                    number += 1;
                    texts.push(Text::new(Item::Message(number), conversation as i64 + 1, seq as i64 + 1, text));
                }
            }
            for (number, memory) in memories.iter().enumerate() {
                store.remember(memory).await;
                let number = number as i64 + 1;
                texts.push(Text::new(Item::Memory(number), 0, number, memory));
            }
            store.check_words();
            for asked in &questions {
                let naive = Naive { texts: &texts, question: Question::of(asked) };
                let query = LexicalQuery { text: asked.clone(), limit: 10_000, ..LexicalQuery::default() };
                let found = store.lexical(query).await.unwrap().hits;
                let found: HashMap<Item, _> = found.into_iter().map(|hit| (hit.item, hit)).collect();
                for text in &texts {
                    let expected =
                        [naive.turn(text), naive.near(text), naive.session(text), naive.pairs(text), naive.surface(text)];
                    match found.get(&text.item) {
                        Some(hit) => {
                            let scores = [hit.turn, hit.near, hit.session, hit.pairs, hit.surface];
                            let differs = |i: usize| (scores[i] - expected[i]).abs() > 1e-9;
                            assert!(!(0..5).any(differs), "{asked:?} {:?}: {scores:?} {expected:?}", text.item);
                        }
                        None => assert_eq!(expected[1], 0.0, "{asked:?} {:?} is missing", text.item),
                    }
                }
            }
        });
    });
}
