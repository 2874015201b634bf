//! The user's cross-encoder: a small real network that counts the passage's tokens that stand in the question.

use std::path::Path;

use nosso::embed::onnx::{Attribute, Element, Graph, Side};
use nosso::embed::{Reranker, RerankerOptions};
use serde_json::json;

use crate::brought::brought;
use crate::support::daemon::{Daemon, Home, call};

/// Words that the tokenizer knows; all others are one and the same.
const WORDS: [&str; 6] = ["harbour", "lighthouse", "lamp", "keeper", "boat", "night"];

/// Writes the model's folder.
fn write_model(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut vocabulary = json!({"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3});
    for (id, word) in (4..).zip(WORDS) {
        vocabulary[word] = json!(id);
    }
    let mark = |name: &str, kind: u32| json!({"SpecialToken": {"id": name, "type_id": kind}});
    let text = |name: &str, kind: u32| json!({"Sequence": {"id": name, "type_id": kind}});
    let special = |name: &str, id: u32| json!({"id": name, "ids": [id], "tokens": [name]});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"}, "decoder": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [mark("[CLS]", 0), text("A", 0), mark("[SEP]", 0)],
            "pair": [mark("[CLS]", 0), text("A", 0), mark("[SEP]", 0), text("B", 1), mark("[SEP]", 1)],
            "special_tokens": {"[CLS]": special("[CLS]", 1), "[SEP]": special("[SEP]", 2)}
        },
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();

    let mut graph = Graph::default();
    let shape = [Side::Named("batch"), Side::Named("sequence")];
    for input in ["input_ids", "attention_mask", "token_type_ids"] {
        graph.input(input, Element::I64, &shape);
    }
    graph.output("logits", Element::F32, &[Side::Named("batch"), Side::Fixed(1)]);
    let to_float = [("to", Attribute::Int(1))];
    // 1 for a word that the tokenizer knows, 0 for marks, padding and the unknown
    let three = graph.integers("three", &[3]);
    let known = graph.node("Greater", &["input_ids", &three], &[]);
    let known = graph.node("Cast", &[&known], &to_float);
    let kind = graph.node("Cast", &["token_type_ids"], &to_float);
    let one = graph.floats("one", &[1], &[1.0]);
    let first = graph.node("Sub", &[&one, &kind], &[]);
    let question = graph.node("Mul", &[&known, &first], &[]);
    let passage = graph.node("Mul", &[&known, &kind], &[]);
    let (across, down) = (graph.integers("axis1", &[1]), graph.integers("axis2", &[2]));
    let rows = graph.node("Unsqueeze", &["input_ids", &down], &[]);
    let columns = graph.node("Unsqueeze", &["input_ids", &across], &[]);
    let equal = graph.node("Equal", &[&rows, &columns], &[]);
    let equal = graph.node("Cast", &[&equal], &to_float);
    let asked = graph.node("Unsqueeze", &[&question, &down], &[]);
    let told = graph.node("Unsqueeze", &[&passage, &across], &[]);
    let pairs = graph.node("Mul", &[&asked, &told], &[]);
    let met = graph.node("Mul", &[&pairs, &equal], &[]);
    let axes = graph.integers("axes", &[1, 2]);
    let sum = graph.node("ReduceSum", &[&met, &axes], &[("keepdims", Attribute::Int(0))]);
    graph.node_into("logits", "", "Unsqueeze", &[&sum, &across], &[]);
    std::fs::write(folder.join("model.onnx"), graph.into_model()).unwrap();
}

#[tokio::test]
async fn question_and_passage_are_read_together() {
    let Some(brought) = brought("a cross-encoder") else { return };
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path());
    let options = RerankerOptions { library: brought.library, model: folder.path().into(), threads: 1 };
    let reranker = Reranker::open(options).unwrap();
    let passages = ["the night", "a lamp for the lighthouse keeper", "nothing", "Harbour lamp"];
    let long = format!("{} lamp", "filler ".repeat(2_000));
    let passages = passages.map(str::to_owned).into_iter().chain([long]).collect();
    let scores = reranker.score("Which lamp does the lighthouse have?".into(), passages).await.unwrap();
    // what is beyond the model's length is not read
    assert_eq!(scores, [0.0, 2.0, 0.0, 1.0, 0.0]);
    assert_eq!(reranker.score("lamp".into(), Vec::new()).await.unwrap(), [] as [f32; 0]);
}

#[test]
fn a_folder_without_a_model_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = RerankerOptions { library: Vec::new(), model: folder.path().into(), threads: 1 };
    let error = Reranker::open(options).err().unwrap();
    assert!(error.full_text().contains("model.onnx"), "{error}");
}

#[test]
fn a_search_takes_the_order_of_the_users_cross_encoder() {
    let Some(brought) = brought("searching with a cross-encoder") else { return };
    let library = brought.library.into_iter().find(|file| file.is_file()).unwrap();
    let home = Home::new();
    let folder = home.path("reranker");
    write_model(&folder);
    home.configure(&format!(
        "[embed]\nenabled = false\nlibrary = \"{}\"\n[rerank]\npath = \"{}\"\n",
        library.display(),
        folder.display()
    ));
    let _daemon = Daemon::start(&home);
    let ask = |method: &str, params| call(&home.socket(), method, params)["result"].clone();
    let conversation = ask("conversation.create", json!({}))["id"].clone();
    let message = |content: &str| json!({"role": "user", "content": content});
    // words prefer the text with both; this network counts every meeting
    let texts = ["boat boat boat boat", "the boat and its keeper"];
    let messages: Vec<_> = texts.into_iter().map(message).collect();
    ask("message.append", json!({"conversationId": conversation, "messages": messages}));
    let found = ask("search.query", json!({"query": "boat keeper", "explain": true}));
    assert_eq!(found["hits"][0]["text"], texts[0], "{found}");
    let legs = found["hits"][0]["explain"]["legs"].as_array().unwrap();
    let leg = |name: &str| legs.iter().find(|leg| leg["name"] == name).unwrap();
    assert_eq!((&leg("reranker")["rank"], &leg("reranker")["score"]), (&json!(1), &json!(4.0)), "{found}");
    assert_eq!(leg("words")["rank"], 2, "{found}");
}
