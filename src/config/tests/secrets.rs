//! Whatever a file holds, reading it neither panics nor repeats a secret.

use proptest::prelude::*;

use super::*;

/// Fits many places: a bare key, a name, a label, a variable.
const CANARY: &str = "canary7f3a9c51e0b24d68";

const FILE: &str = r#"
[server]
bind = "127.0.0.1:8080"
trusted_proxies = ["10.0.0.1"]
allow_query_tokens = true
tls_certificate = "no-such-file"
tls_key = "no-such-file"
[policy]
settle = "10m"
cleaning_attempts = 3
rotate_every = "never"
[types.lite]
rights = "standard"
max_duration = 600
[ibm]
iam = "https://iam.cloud.ibm.com"
requests_at_once = 4
[keep]
crns = ["crn:v1:a"]
tag = "acctpool:keep"
resource_groups = ["a"]
created_before = 2026-05-01T00:00:00Z
users = ["IBMid-1"]
protected_accounts = ["00000000000000000000000000000009"]
[[webhooks]]
name = "pager"
url = "https://hooks.example.com/x"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
events = ["key_rotated"]
[[webhooks]]
name = "chat"
url = "https://hooks.example.com/y"
secret_file = "no-such-secret"
[[tokens]]
name = "ci"
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
[[tokens]]
name = "cd"
sha256 = "aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
[[accounts]]
id = "0123456789abcdef0123456789abcdef"
type = "lite"
api_key = "key-of-the-owner"
owner = "IBMid-1"
[[accounts]]
id = "1123456789abcdef0123456789abcdef"
type = "lite"
api_key_file = "no-such-file"
[[accounts]]
id = "2123456789abcdef0123456789abcdef"
type = "lite"
api_key_env = "NOT_SET"
"#;

/// Everything that reading the text may show to anybody.
fn shown(text: &str) -> String {
    match parse(text) {
        Ok((config, report)) => {
            // A label, a name or an address is meant to be seen; a key is not.
            let keys: Vec<_> = config.accounts.iter().map(|a| &a.api_key).collect();
            let destinations: Vec<_> = config.webhooks.iter().map(|w| &w.destination).collect();
            format!(
                "{report} {report:?} {keys:?} {:?} {destinations:?}",
                config.tokens
            )
        }
        Err(error) => format!("{error} {error:?}"),
    }
}

/// The ranges of what a person could replace: words between the marks of TOML.
fn words() -> Vec<std::ops::Range<usize>> {
    let is_mark = |c: char| c.is_whitespace() || "[]\"=".contains(c);
    let mut words = Vec::new();
    let mut start = 0;
    for (at, mark) in FILE.match_indices(is_mark) {
        if start < at {
            words.push(start..at);
        }
        start = at + mark.len();
    }
    words
}

#[test]
fn secret_in_any_place_of_the_file_is_not_repeated() {
    let words = words();
    assert!(words.len() > 60, "{}", words.len());
    let pasted = [
        CANARY.to_owned(),
        format!("\"{CANARY}\""),
        format!("acctpool_{CANARY}"),
        format!("{CANARY} {CANARY}"),
        format!("\n{CANARY}\n"),
        format!("{CANARY}\\q"),
        format!("'{CANARY}"),
        format!("{CANARY}.{CANARY}"),
    ];
    for word in words {
        for text in &pasted {
            let mut file = FILE.to_owned();
            file.replace_range(word.clone(), text);
            let shown = shown(&file);
            // The name of a token is meant to be seen; the report still must not hold it.
            let shown = shown.replace(&format!("TokenName(\"{CANARY}\")"), "");
            assert!(!shown.contains(CANARY), "{shown}\nfor:\n{file}");
        }
    }
}

#[test]
fn secret_given_twice_is_not_repeated() {
    for key in ["name", "sha256", "id", "api_key"] {
        let entry = |header| format!("[[{header}]]\n{key} = \"{CANARY}\"\n");
        let file = [entry("tokens"), entry("accounts")].concat().repeat(2);
        let shown = shown(&file);
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn secret_in_a_file_or_variable_is_not_repeated() {
    let env = |_: &str| Some(format!("{CANARY} with spaces"));
    let text = FILE.replace("no-such-file", "/etc/hostname");
    let error = Config::parse(&text, Path::new("a.toml"), &env).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("`api_key_env`"), "{shown}");
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    for piece in ["[", "{a=", "a."] {
        let text = format!("server = {}", piece.repeat(100_000));
        assert!(!refused(&text).is_empty());
    }
    let keys = format!("{}a = 1", "a.".repeat(10_000));
    assert!(!refused(&keys).is_empty());
}

/// A change that a slip of the hand, an editor or a merge could make.
fn slip() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let piece = prop_oneof![
        Just(String::new()),
        Just(CANARY.to_owned()),
        Just(format!("\"{CANARY}\"")),
        Just(format!(" = {CANARY}\n")),
        Just(format!("[{CANARY}]\n")),
        Just(format!("\"\"\"{CANARY}\n")),
        "[\\[\\]\"'=\\\\.,{}#\n\r\t 0-9a-z_-]{0,6}",
        "\\PC{0,3}",
    ];
    (any::<prop::sample::Index>(), 0..40_usize, piece)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn slips_never_panic_and_never_show_a_secret(
        slips in prop::collection::vec(slip(), 1..6),
    ) {
        let mut file: Vec<char> = FILE.chars().collect();
        for (place, length, piece) in slips {
            let start = place.index(file.len() + 1);
            let end = (start + length).min(file.len());
            file.splice(start..end, piece.chars());
        }
        let file: String = file.into_iter().collect();
        if let Err(error) = parse(&file) {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(CANARY), "{}", shown);
            prop_assert!(!shown.contains("key-of-the-owner"), "{}", shown);
            prop_assert!(shown.starts_with("accounts.toml:"), "{}", shown);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let source = Source {
            directory: Path::new(""),
            env: &no_env,
            readable_by_others: false,
        };
        if let Err(error) = read_bytes(&bytes, Path::new("accounts.toml"), &source) {
            prop_assert!(error.to_string().starts_with("accounts.toml:"));
        }
    }
}
