//! The embedder on a tiny model of its own, and on the default model: right vectors, right order, and out of the way.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nosso::embed::onnx::{Element, Graph, Side};
use nosso::embed::{self, Embedder, Golden, Naming, Options, Passage, Role, cosine};
use nosso::error::Kind;
use tempfile::TempDir;

use crate::brought::{Brought, brought};
use crate::tiny_model;

fn tiny_folder(golden: Vec<Golden>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let naming = Naming { name: "tiny".into(), golden };
    embed::convert(&tiny_model::weight_file(), naming, folder.path()).unwrap();
    folder
}

fn options(brought: &Brought, model: &Path) -> Options {
    Options {
        library: brought.library.clone(),
        model: model.to_owned(),
        threads: 2,
        niceness: 10,
        unload_after: None,
    }
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Texts without a context.
fn alone(texts: &[String]) -> Vec<Passage> {
    texts.iter().cloned().map(Passage::from).collect()
}

fn one(context: &str, text: &str) -> Vec<Passage> {
    vec![Passage { context: context.to_owned(), text: text.to_owned() }]
}

fn close(a: &[f32], b: &[f32]) -> bool {
    cosine(a, b) >= 0.99999
}

#[tokio::test]
async fn a_tiny_model_gives_a_vector_for_each_text_in_order() {
    let Some(brought) = brought("a tiny model") else { return };
    let folder = tiny_folder(Vec::new());
    let embedder = Embedder::start(options(&brought, folder.path())).await.unwrap();
    assert_eq!((embedder.model().dimension, embedder.model().max_tokens), (tiny_model::WIDTH, 64));
    assert_eq!(embedder.model().fingerprint.len(), 64);

    let texts: Vec<String> =
        ["abc", "", "a much longer text of words", "\n\t ", "xyz", &"long ".repeat(500), "\0"]
            .map(String::from)
            .to_vec();
    let together = embedder.embed_passages(alone(&texts)).await.unwrap();
    assert_eq!(together.len(), texts.len());
    for (text, embedded) in texts.into_iter().zip(together) {
        let alone = embedder.embed_passages(one("", &text)).await.unwrap().remove(0);
        match (embedded, alone) {
            (Ok(embedded), Ok(alone)) => {
                assert!(close(&embedded.vector, &alone.vector), "{text:?} depends on its neighbours");
                assert_eq!(embedded.tokens.len(), alone.tokens.len());
                let length: f32 = embedded.vector.iter().map(|value| value * value).sum();
                assert!((length - 1.0).abs() < 1e-5);
            }
            (Err(one), Err(other)) => {
                assert!(text.trim().is_empty(), "{text:?}: {one}");
                assert_eq!((one.kind(), other.kind()), (Kind::Invalid, Kind::Invalid));
            }
            _ => panic!("{text:?} came out in two ways"),
        }
    }
    let query = embedder.embed_query("abc".into()).await.unwrap();
    let passage = embedder.embed_passages(one("", "abc")).await.unwrap().remove(0).unwrap();
    assert!(!close(&query.vector, &passage.vector), "the prefixes make a difference");
    assert_eq!(embedder.embed_query("  ".into()).await.unwrap_err().kind(), Kind::Invalid);
    let too_many = embedder.embed_passages(vec![Passage::from("a".to_owned()); 1025]).await.unwrap_err();
    assert_eq!(too_many.kind(), Kind::TooLarge);
    assert!(embedder.embed_passages(Vec::new()).await.unwrap().is_empty());
    embedder.stop().await;
    assert!(!embedder.is_loaded());
    assert_eq!(embedder.embed_query("abc".into()).await.unwrap_err().kind(), Kind::Busy);
}

#[tokio::test]
async fn a_model_that_gives_other_vectors_than_promised_is_refused() {
    let Some(brought) = brought("golden vectors") else { return };
    let folder = tiny_folder(Vec::new());
    let embedder = Embedder::start(options(&brought, folder.path())).await.unwrap();
    let vector = embedder.embed_query("abc".into()).await.unwrap().vector;
    embedder.stop().await;

    let right = tiny_folder(vec![Golden::of(Role::Query, "abc", &vector)]);
    Embedder::start(options(&brought, right.path())).await.unwrap().stop().await;
    let wrong = tiny_folder(vec![Golden::of(Role::Passage, "abc", &vector)]);
    let error = Embedder::start(options(&brought, wrong.path())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.to_string().contains("cosine"), "{error}");
    assert!(error.hint_text().unwrap().contains("nosso setup"));
}

#[tokio::test]
async fn a_broken_network_is_an_error_not_a_crash() {
    let Some(brought) = brought("a broken network") else { return };
    let folder = tiny_folder(Vec::new());
    let network = folder.path().join("model.onnx");
    let whole = fs::read(&network).unwrap();
    fs::write(&network, &whole[..whole.len() / 2]).unwrap();
    let error = Embedder::start(options(&brought, folder.path())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ModelUnavailable, "{error}");
    fs::write(folder.path().join("tokenizer.json"), "{\"model\": 1}").unwrap();
    let error = Embedder::start(options(&brought, folder.path())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
}

/// A network as the hubs export them: three inputs, the tokens' vectors, no settings of ours.
fn exported_folder() -> TempDir {
    let folder = tiny_folder(Vec::new());
    fs::remove_file(folder.path().join("nosso-model.json")).unwrap();
    fs::remove_file(folder.path().join("model.onnx")).unwrap();
    fs::create_dir(folder.path().join("onnx")).unwrap();
    fs::write(folder.path().join("config.json"), r#"{"max_position_embeddings": 16}"#).unwrap();
    let (width, n_pieces) = (4, 31);
    let mut graph = Graph::default();
    for name in ["input_ids", "attention_mask", "token_type_ids"] {
        graph.input(name, Element::I64, &[Side::Named("batch"), Side::Named("sequence")]);
    }
    // Each piece's vector is (id, 1, 0, 0), and type 0 adds (0, 0, 2, 0).
    let words: Vec<f32> = (0..n_pieces).flat_map(|id| [id as f32, 1.0, 0.0, 0.0]).collect();
    let words = graph.floats("words", &[n_pieces, width], &words);
    let types = graph.floats("types", &[2, width], &[0.0, 0.0, 2.0, 0.0, 9.0, 9.0, 9.0, 9.0]);
    let words = graph.node("Gather", &[&words, "input_ids"], &[]);
    let types = graph.node("Gather", &[&types, "token_type_ids"], &[]);
    graph.node_into("last_hidden_state", "", "Add", &[&words, &types], &[]);
    let shape = [Side::Named("batch"), Side::Named("sequence"), Side::Fixed(width)];
    graph.output("last_hidden_state", Element::F32, &shape);
    fs::write(folder.path().join("onnx/model.onnx"), graph.into_model()).unwrap();
    folder
}

#[tokio::test]
async fn a_folder_of_a_model_hub_is_used_as_its_files_say() {
    let Some(brought) = brought("a model hub's folder") else { return };
    let folder = exported_folder();
    let embedder = Embedder::start(options(&brought, folder.path())).await.unwrap();
    assert_eq!((embedder.model().dimension, embedder.model().max_tokens), (4, 16));
    // <s> ▁ a b </s> are the pieces 0 4 5 6 2, their mean is 17/5; the mask of the shorter text matters beside the
    // longer one.
    let vectors = embedder.embed_passages(alone(&["ab".into(), "abcdefgh".into()])).await.unwrap();
    let expected = [3.4, 1.0, 2.0, 0.0];
    let found = &vectors[0].as_ref().unwrap().vector;
    assert!(close(found, &expected), "{found:?} is not along {expected:?}");
    // With "x" before them the pieces are 0 4 28 4 5 6 2, of which 4 28 4 are not the text's.
    let within = embedder.embed_passages(one("x", "ab")).await.unwrap().remove(0).unwrap();
    assert!(close(&within.vector, &[13.0 / 4.0, 1.0, 2.0, 0.0]), "{:?}", within.vector);
    let own: Vec<_> = within.tokens.iter().map(|token| (token.vector[0], token.range.clone())).collect();
    assert_eq!(own, [(5.0, 0..1), (6.0, 1..2)]);

    fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    let pooling = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
    fs::write(folder.path().join("1_Pooling/config.json"), pooling).unwrap();
    let first = Embedder::start(options(&brought, folder.path())).await.unwrap();
    assert_ne!(first.model().fingerprint, embedder.model().fingerprint);
    assert!(close(&first.embed_query("ab".into()).await.unwrap().vector, &[0.0, 1.0, 2.0, 0.0]));
    embedder.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn an_idle_model_leaves_memory_and_comes_back() {
    let Some(brought) = brought("unloading") else { return };
    let folder = tiny_folder(Vec::new());
    let unload_after = Some(Duration::from_millis(20));
    let options = Options { unload_after, ..options(&brought, folder.path()) };
    let embedder = Embedder::start(options).await.unwrap();
    let before = embedder.embed_query("abc".into()).await.unwrap().vector;
    wait_until("the unloading", || !embedder.is_loaded()).await;
    assert!(close(&before, &embedder.embed_query("abc".into()).await.unwrap().vector));

    wait_until("the second unloading", || !embedder.is_loaded()).await;
    fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    let error = embedder.embed_query("abc".into()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ModelUnavailable);
    assert!(error.to_string().contains("changed"), "{error}");
    embedder.stop().await;
}

#[tokio::test]
async fn callers_that_leave_do_not_clog_the_queues() {
    let Some(brought) = brought("callers that leave") else { return };
    let folder = tiny_folder(Vec::new());
    let embedder = Embedder::start(options(&brought, folder.path())).await.unwrap();
    for i in 0..500 {
        let text = format!("text {i} ").repeat(20);
        let mut query = Box::pin(embedder.embed_query(text.clone()));
        let mut passages = Box::pin(embedder.embed_passages(vec![Passage::from(text); 64]));
        // Both are in their queues, or wait for a place in them, when they are dropped.
        let _ = (futures_util::poll!(&mut query), futures_util::poll!(&mut passages));
    }
    let last = tokio::time::timeout(Duration::from_secs(10), embedder.embed_query("abc".into())).await;
    assert_eq!(last.unwrap().unwrap().vector.len(), tiny_model::WIDTH);
    let last = tokio::time::timeout(Duration::from_secs(10), embedder.embed_passages(one("", "abc"))).await;
    assert!(last.unwrap().unwrap().remove(0).is_ok());
    embedder.stop().await;
}

#[tokio::test]
async fn stopping_answers_everybody() {
    let Some(brought) = brought("stopping") else { return };
    let folder = tiny_folder(Vec::new());
    let embedder = Embedder::start(options(&brought, folder.path())).await.unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let embedder = embedder.clone();
            let many = vec![Passage::from("many words ".repeat(30)); 1000];
            tokio::spawn(async move { embedder.embed_passages(many).await })
        })
        .collect();
    tokio::task::yield_now().await;
    tokio::time::timeout(Duration::from_secs(10), embedder.stop()).await.expect("stops in time");
    for call in calls {
        if let Err(error) = call.await.unwrap() {
            assert_eq!(error.kind(), Kind::Busy);
        }
    }
    embedder.stop().await;
}

/// Question, the passage that answers it; no important word in common.
const PAIRS: [(&str, &str); 8] = [
    ("Quando é que temos de entregar o relatório?", "O prazo final do documento é na sexta-feira, dia 14."),
    ("What food must I avoid cooking for Ana?", "A Ana é alérgica a amendoim e a marisco."),
    ("Which database did we choose?", "Decidimos guardar tudo em SQLite, por ser um só ficheiro."),
    ("Onde fica a chave de reserva?", "A suplente está debaixo do vaso azul, à entrada de casa."),
    ("How do I speed up the build?", "Compilar com o cache ligado reduziu o tempo de dez para dois minutos."),
    ("Who picks us up at the airport?", "O Pedro vai ter connosco de carro quando o voo aterrar."),
    ("Posso voltar a correr?", "The doctor said that my knee needs rest, so no jogging for six weeks."),
    ("Why did the server go down last night?", "O disco encheu às três da manhã e o serviço parou."),
];

#[tokio::test]
async fn the_default_model_finds_by_meaning_in_both_languages() {
    let Some(brought) = brought("the default model") else { return };
    let embedder = Embedder::start(options(&brought, &brought.model)).await.unwrap();
    assert_eq!((embedder.model().dimension, embedder.model().max_tokens), (384, 512));
    let passages: Vec<String> = PAIRS.iter().map(|(_, passage)| (*passage).to_owned()).collect();
    let embedded = embedder.embed_passages(alone(&passages)).await.unwrap();
    let vectors: Vec<Vec<f32>> = embedded.into_iter().map(|one| one.unwrap().vector).collect();
    let mut n_found = 0;
    for (place, (question, _)) in PAIRS.iter().enumerate() {
        let query = embedder.embed_query((*question).to_owned()).await.unwrap().vector;
        let best = (0..vectors.len())
            .max_by(|a, b| cosine(&query, &vectors[*a]).total_cmp(&cosine(&query, &vectors[*b])));
        n_found += usize::from(best == Some(place));
    }
    // The package's own engine finds six; noise would find one.
    assert!(n_found >= 5, "only {n_found} of {} questions found their passage first", PAIRS.len());
    embedder.stop().await;
}

/// Without a context the pooled tokens are the network's own sentence, which the golden vectors of the set-up are of;
/// with one the text's own tokens decide, and a context never takes room from them.
#[tokio::test]
async fn the_default_model_reads_a_context_and_embeds_the_text() {
    let Some(brought) = brought("contexts") else { return };
    let embedder = Embedder::start(options(&brought, &brought.model)).await.unwrap();
    let embed = async |context: &str, text: &str| {
        embedder.embed_passages(one(context, text)).await.unwrap().remove(0).unwrap()
    };
    let text = "Sim, na quinta, com a Ana.";
    let plain = embed("", text).await;
    assert_eq!(embed(" \n", text).await.vector, plain.vector, "a blank context is none");
    let lunch = embed("Rui: Onde almoçamos amanhã?", text).await;
    let flight = embed("Rui: Quando parte o teu voo para Lisboa?", text).await;
    assert!(cosine(&lunch.vector, &flight.vector) < 0.999, "the context leaves its trace");
    assert_eq!(lunch.tokens.len(), plain.tokens.len(), "and no token");
    let said: String = lunch.tokens.iter().map(|token| &text[token.range.clone()]).collect();
    assert_eq!(said, text.replace(' ', ""));
    assert!(lunch.tokens.iter().all(|token| token.vector.len() == 384));
    let question = embedder.embed_query("Com quem vou?".into()).await.unwrap();
    assert!(
        cosine(&question.vector, &lunch.vector)
            > cosine(&question.vector, &embed("", "O preço subiu.").await.vector)
    );
    let words: Vec<&str> =
        question.tokens.iter().map(|token| &"Com quem vou?"[token.range.clone()]).collect();
    assert_eq!(words.concat(), "Comquemvou?");

    let long = "palavras e mais palavras ".repeat(200);
    let full = embed("", &long).await;
    let beside = embed(&long, &long).await;
    assert_eq!(full.tokens.len(), beside.tokens.len(), "the text keeps its room");
    assert!(close(&full.vector, &beside.vector));
    assert!(full.tokens.len() > 490, "{}", full.tokens.len());
    embedder.stop().await;
}

fn mixed_texts(n: usize) -> Vec<String> {
    let words = "a reunião de projeto foi marcada para discutir the new index of the database and its recall"
        .split(' ');
    let words: Vec<&str> = words.collect();
    // Lengths of a chat: most texts short, a few long.
    let length = |i: usize| 3 + (i * 7919 % 29) + if i % 16 == 5 { 120 + (i * 104_729 % 180) } else { 0 };
    (0..n)
        .map(|i| (0..length(i)).map(|j| words[(i + j * 3) % words.len()]).collect::<Vec<_>>().join(" "))
        .collect()
}

#[tokio::test]
async fn the_default_models_vectors_do_not_depend_on_the_batch() {
    let Some(brought) = brought("batches") else { return };
    let embedder = Embedder::start(options(&brought, &brought.model)).await.unwrap();
    let texts: Vec<String> = mixed_texts(40).into_iter().filter(|text| text.len() < 300).take(20).collect();
    let together = embedder.embed_passages(alone(&texts)).await.unwrap();
    for (text, embedded) in texts.into_iter().zip(together) {
        let alone = embedder.embed_passages(one("", &text)).await.unwrap().remove(0).unwrap();
        assert!(close(&embedded.unwrap().vector, &alone.vector), "{text:?}");
    }
    embedder.stop().await;
}

fn megabytes(key: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// `cargo test --test suite figures -- --ignored --nocapture --test-threads=1`
#[tokio::test]
#[ignore = "prints figures"]
async fn figures() {
    let Some(brought) = brought("figures") else { return };
    let resident = |when: &str| println!("resident {when}: {:.0} MB", megabytes("VmRSS"));
    let unload_after = Some(Duration::from_secs(8));
    let options = Options { unload_after, ..options(&brought, &brought.model) };
    resident("before");
    let begin = Instant::now();
    let embedder = Embedder::start(options.clone()).await.unwrap();
    println!("start: {:?}", begin.elapsed());
    resident("loaded");

    let mut idle = Vec::new();
    for (question, _) in PAIRS.iter().cycle().take(200) {
        let begin = Instant::now();
        embedder.embed_query((*question).to_owned()).await.unwrap();
        idle.push(begin.elapsed());
    }
    idle.sort();
    println!("query, nothing else to do: p50 {:?}, p95 {:?}", idle[100], idle[190]);
    resident("after 200 queries");

    let texts = mixed_texts(96);
    embedder.embed_passages(alone(&texts[..4])).await.unwrap();
    let begin = Instant::now();
    let work = tokio::spawn({
        let (embedder, texts) = (embedder.clone(), texts.clone());
        async move { embedder.embed_passages(alone(&texts)).await.unwrap() }
    });
    let mut loaded = Vec::new();
    while !work.is_finished() {
        let begin = Instant::now();
        embedder.embed_query(PAIRS[0].0.to_owned()).await.unwrap();
        loaded.push(begin.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    work.await.unwrap();
    loaded.sort();
    println!(
        "query beside a backlog: p50 {:?}, p95 {:?}",
        loaded[loaded.len() / 2],
        loaded[loaded.len() * 95 / 100]
    );
    println!("backlog beside queries: {:.1} texts/s", texts.len() as f64 / begin.elapsed().as_secs_f64());

    let begin = Instant::now();
    embedder.embed_passages(alone(&texts)).await.unwrap();
    let ours = begin.elapsed();
    resident("after the backlog, both sessions loaded");
    println!("peak so far: {:.0} MB", megabytes("VmHWM"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    resident("idle for two seconds, both sessions loaded");
    wait_until("the unloading", || !embedder.is_loaded()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    resident("unloaded");
    let plain = {
        let (options, texts) = (options.clone(), texts.clone());
        tokio::task::spawn_blocking(move || embed::time_of_plain_batches(&options, &texts, 32))
            .await
            .unwrap()
            .unwrap()
    };
    println!(
        "96 mixed texts: {ours:?}, in plain batches of 32: {plain:?}: {:.1} times",
        plain.as_secs_f64() / ours.as_secs_f64()
    );
    println!("peak with plain batches: {:.0} MB", megabytes("VmHWM"));
    embedder.stop().await;
}
