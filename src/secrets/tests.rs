//! What is a secret and what is none, and that masking keeps everything else.

use proptest::prelude::*;

use super::*;

/// `«…»` marks what must be masked.
fn check(marked: &str) {
    let text = marked.replace(['«', '»'], "");
    let mut expected = vec![];
    let (mut rest, mut before) = (marked, 0);
    while let Some((left, right)) = rest.split_once('«') {
        let (secret, right) = right.split_once('»').unwrap();
        expected.push(before + left.len()..before + left.len() + secret.len());
        before += left.len() + secret.len();
        rest = right;
    }
    let found: Vec<_> = scan(&text).into_iter().map(|secret| secret.range).collect();
    let shown: Vec<_> = found.iter().map(|range| &text[range.clone()]).collect();
    assert_eq!(found, expected, "in {text:?} these were found: {shown:?}");
}

/// Keys in pieces, or this file would look like a leak to every scanner.
fn key(prefix: &str, length: usize) -> String {
    let body = "a1B2c3D4e5F6g7H8i9J0".chars().cycle().take(length);
    prefix.chars().chain(body).collect()
}

#[test]
fn keys_of_services_are_known_by_how_they_begin() {
    for (prefix, length, kind) in [
        ("sk-", 48, SecretKind::OpenaiKey),
        ("sk-proj-", 60, SecretKind::OpenaiKey),
        ("sk-ant-api03-", 90, SecretKind::AnthropicKey),
        ("ghp_", 36, SecretKind::GithubToken),
        ("github_pat_", 82, SecretKind::GithubToken),
        ("glpat-", 20, SecretKind::GitlabToken),
        ("AIza", 35, SecretKind::GoogleKey),
        ("xoxb-", 40, SecretKind::SlackToken),
        ("sk_live_", 24, SecretKind::StripeKey),
        ("hf_", 34, SecretKind::ApiKey),
        ("npm_", 36, SecretKind::ApiKey),
    ] {
        let key = key(prefix, length);
        for text in
            [key.clone(), format!("use {key}, please"), format!("KEY={key}\nnext"), format!("\"{key}\".")]
        {
            let found = scan(&text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!((found[0].kind, &text[found[0].range.clone()]), (kind, key.as_str()), "{text}");
        }
    }
    let aws = format!("AKIA{}", "IOSFODNN7EXAMPLE");
    check(&format!("id «{aws}» in eu-west-1"));
    check(&format!("https://hooks.slack.com/services/«T00000000/B00000000/{}»", key("", 24)));
}

#[test]
fn tokens_and_private_keys_are_known_by_their_form() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N";
    check(&format!("got «{jwt}» back"));
    check("curl -H 'Authorization: Bearer «abcdef0123456789abcd»' x");
    check("Authorization: Basic «dXNlcjpwYXNzd29yZA==»");
    check("The bearer of good news came 12 times.");
    let pem =
        format!("-----{} RSA PRIVATE KEY-----\nMIIEow\nIBAAKCAQEA\n-----END RSA PRIVATE KEY-----", "BEGIN");
    check(&format!("key:\n«{pem}»\nend"));
    check(&format!("\"«{}»\"", pem.replace('\n', "\\n")));
    check("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkq\n-----END PUBLIC KEY-----");
    let open = format!("«-----{} PRIVATE KEY-----\nMIIEowIBAAKC\nAQEAx1y2z3»", "BEGIN");
    check(&format!("{open}\nthis is prose again"));
}

#[test]
fn passwords_in_addresses_are_masked_and_names_stay() {
    check("postgres://ana:«s3cr3t»@db.local:5432/app");
    check("redis://:«hunter»@localhost, and https://example.org:8080/a:b@c");
    check("https://ana@example.org git@github.com:a/b.git http://h/x?y=a:b@c");
    check("mongodb://user:password@host amqp://u:${PASS}@h https://u:***@h");
}

#[test]
fn what_is_called_a_password_and_looks_like_one_is_one() {
    check("password = «correct-horse»\n");
    check("DB_PASSWORD=«p@ssw0rd»");
    check("export PGPASSWORD='«top secret 1»'");
    check("{\"password\": \"«hunter2»\", \"user\": \"ana\"}");
    check("{\\\"password\\\": \\\"«hunter2»\\\"}");
    check("password: «abacaxi»\nuser: ana");
    check("A senha: «Abacaxi7». Guarde.");
    check("api_key: «0123456789abcdef0123456789abcdef»");
    check("aws_secret_access_key = «wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»");
    check("https://h/x?token=«abcdef0123456789»&page=2");
    check(
        "curl -u ana:«hunter2» h; curl --user 'ana:«S3cret»' h; docker run -u 1000:1000 x; chown -u ana:staff f",
    );
    check("pass: «hunter2»\nSMTP_PASS=«hunter2» smtpPass: \"«hunter2»\"");
    let bot = format!("123456789:{}", "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1");
    check(&format!("bot «{bot}», at 123456789:AAshort"));
    check(&format!("«{}-123456789»:{}", key("sk-proj-", 30), &bot[10..]));
    check("mysql --password «hunter2» -u ana; tool --token «abcdef0123456789abcd»");
}

#[test]
fn a_sentence_may_tell_a_password() {
    check("My password is «hunter2»!");
    check("The password for the guest wifi is «abacaxi7», ask Ana.");
    check("Senha do wifi: «abacaxi123»\nmeu token é «a1B2c3D4e5F6g7H8i9J0».");
    check("The API key for maps is «a1B2c3D4e5F6g7H8i9J0», keep it.");
    check("minha senha é «Abacaxi7». A senha do banco era \"«trocada»\".");
    for text in [
        "The password is base64 encoded and sha256-hashed.",
        "my password is wrong, the passwords are 8 characters long",
        "Password was reset. Version v2024a is out, and that is x86_64.",
        "a senha é obrigatória; a senha do usuário é pedida em 2h30min",
        "the token is used 12 times, the API key is in vault-12, a chave é 9fceb02d",
        "password for the router: ask Ana; token of type: bearer1",
        "the password is stored in a vault1, passwordless is a1b2c3d4",
        "password is",
        "password for",
        "password",
    ] {
        check(text);
    }
}

#[test]
fn programs_and_prose_may_speak_of_passwords() {
    for text in [
        "password: String,",
        "let password = get_password();",
        "let token = lexer.next();",
        "password = os.environ[\"PASSWORD\"]",
        "password = config.password",
        "if password == \"\" { return }",
        "\"password\": \"Enter your password\"",
        "password: str",
        "password: required",
        "Password: Required when the user logs in",
        "I forgot my password: what now?",
        "secret: it is a surprise",
        "token = \"\"",
        "pass: 1234 tests, bypass: yes12, compass=north1 tests: pass=12",
        "max_tokens = 4096, next_token = \"abcdef0123456789abcd\"",
        "PASSWORD=$DB_PASSWORD",
        "password=<your password>",
        "password: ********",
        "PWD=/home/ana/src",
        "token: 018f6e0a-1c2d-7000-8000-000000000000",
        "esqueci a senha: e agora?",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "task-management-system-2024 risk-assessment0123456789abcdef sk-learn sk-estimator-name",
        "MASKIA0123456789ABCDEF ghp_short AKIA AIza",
        "key: value, primary_key: 12345678901234567890abc",
    ] {
        check(text);
    }
}

#[test]
fn a_mask_tells_what_and_where_and_nothing_else() {
    let (short, long) = (key("ghp_", 36), key("ghp_", 80));
    let text = |key: &str| format!("first\nset {key} twice {key}\n");
    let (masked, places) = mask(Box::leak(text(&short).into_boxed_str()));
    assert_eq!(masked, "first\nset [masked:github-token] twice [masked:github-token]\n");
    assert_eq!(masked, mask(&text(&long)).0, "the length shows");
    let found: Vec<_> =
        places.iter().map(|place| (place.kind, place.offset, place.line, place.masked)).collect();
    assert_eq!(found, [(SecretKind::GithubToken, 10, 2, true), (SecretKind::GithubToken, 38, 2, true)]);
    assert_eq!(find(&text(&short))[1].offset, 10 + 40 + 7);
    assert!(is_same(&text(&short), &text(&long)) && is_same(&text(&short), &masked));
    assert!(!is_same(&text(&short), "other"));
}

#[test]
fn the_demo_and_the_documents_hold_no_secrets() {
    for text in [
        include_str!("../../demo/history.json"),
        include_str!("../../docs/openrpc.json"),
        include_str!("../../docs/BENCHMARKS.md"),
        include_str!("../store/append.rs"),
        include_str!("../../Cargo.lock"),
    ] {
        let found: Vec<_> = scan(text).into_iter().map(|secret| text[secret.range].to_owned()).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn a_mebibyte_of_anything_takes_one_pass() {
    // texts that make a scanner that looks ahead again and again look ahead a mebibyte each time
    for piece in [
        "sk-",
        "eyJ",
        "eyJ.",
        "bearer a1",
        "password=",
        "://a:",
        "-----BEGIN PRIVATE KEY-----A",
        "token: \"a1",
        "--token a",
        "AKIA",
        "a",
        "é",
        "= ",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let began = std::time::Instant::now();
        let found = scan(&text);
        // a debug build on a busy machine; looking ahead each time would take hours
        assert!(
            began.elapsed().as_secs() < 20,
            "{piece:?} took {:?} ({} found)",
            began.elapsed(),
            found.len()
        );
    }
}

fn plain() -> impl Strategy<Value = String> {
    "([A-Za-zçãé0-9 ,.:;=\"'\\n/@+_-]{0,30}|password|token|secret|://|Bearer |--|\\[masked:)"
}

/// What secrets are made of.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "password",
        "senha",
        "token",
        "the API key",
        "pass",
        " is ",
        " é ",
        " for ana ",
        ": ",
        "=",
        ":",
        "\"",
        "'",
        " ",
        "\n",
        "--token ",
        "-u ",
        "ana:",
        "hunter2",
        "Abacaxi7",
        "a1B2c3D4e5F6g7H8i9J0",
        "sk-",
        "sk-proj-",
        "ghp_",
        "Bearer ",
        "eyJhbGciOiJI.",
        "://",
        "@",
        "-",
        "12345678",
        "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
        "[masked:password]",
        "\\",
        "é",
        "-----BEGIN PRIVATE KEY-----",
    ])
}

proptest! {
    #[test]
    fn what_is_masked_stays_masked(parts in prop::collection::vec(plain(), 0..12), keys in 0usize..3) {
        let mut text = parts.concat();
        for _ in 0..keys {
            text.push_str(&format!("\n{} ", key("ghp_", 36)));
        }
        let (masked, places) = mask(&text);
        for place in &places {
            prop_assert!(masked[place.offset as usize..].starts_with(&place.kind.mask()));
        }
        prop_assert!(!masked.contains(&key("ghp_", 36)));
        let again = mask(&masked).0;
        prop_assert_eq!(&again, &mask(&again).0);
    }

    #[test]
    fn ids_hashes_and_pictures_stay(bytes in prop::collection::vec(any::<u8>(), 16..400), n in any::<u128>()) {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let base64: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).take(20).collect();
        let id = uuid::Uuid::from_u128(n);
        let text = format!("![x](data:image/png;base64,{base64}) commit {hex} id {id} file {id}.json\n{hex}");
        prop_assert_eq!(scan(&text), vec![]);
    }

    #[test]
    fn pieces_of_secrets_in_any_order_are_apart_and_stay_masked(pieces in prop::collection::vec(piece(), 0..9)) {
        let text = pieces.concat();
        let found = scan(&text);
        prop_assert!(found.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start), "{text}: {found:?}");
        let masked = mask(&mask(&text).0).0.into_owned();
        prop_assert_eq!(&masked, &mask(&masked).0, "{}", text);
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,80}") {
        let found = scan(&text);
        prop_assert!(found.iter().all(|secret| text.get(secret.range.clone()).is_some_and(|it| !it.is_empty())));
        prop_assert!(found.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
    }
}
