//! Tokens are made, hashed and recognised.

use super::*;

fn name(text: &str) -> TokenName {
    text.parse().unwrap()
}

#[test]
fn token_is_recognised_by_the_lines_that_were_printed_for_it() {
    let token = NewToken::generate(name("ci")).unwrap();
    let lines = token.toml();
    let hash = lines.split('"').nth(3).and_then(TokenHash::from_hex);
    let tokens = Tokens::new([(hash.unwrap(), name("ci"))]);

    assert_eq!(tokens.identify(token.reveal()), Some(&name("ci")));
    assert!(!lines.contains(token.reveal()));
}

#[test]
fn token_has_the_prefix_and_256_random_bits() {
    let first = NewToken::generate(name("a")).unwrap();
    let second = NewToken::generate(name("a")).unwrap();

    let encoded = first.reveal().strip_prefix("acctpool_").unwrap();
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(encoded).unwrap().len(), 32);
    assert_ne!(first.reveal(), second.reveal());
}

#[test]
fn hash_is_sha256_of_the_whole_token() {
    // The published digest of "abc" (FIPS 180-2, appendix B.1).
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(TokenHash::of("abc").to_hex(), hex);
    assert_eq!(TokenHash::from_hex(hex), Some(TokenHash::of("abc")));
    assert_eq!(
        TokenHash::from_hex(&hex.to_uppercase()),
        Some(TokenHash::of("abc"))
    );
}

#[test]
fn text_that_is_not_64_hexadecimal_digits_is_no_hash() {
    let hex = TokenHash::of("abc").to_hex();
    for text in ["", &hex[1..], &format!("{hex}0"), &hex.replace('b', "g")] {
        assert_eq!(TokenHash::from_hex(text), None, "{text:?}");
    }
    let multibyte = "é".repeat(32);
    assert_eq!(multibyte.len(), 64);
    assert_eq!(TokenHash::from_hex(&multibyte), None);
}

#[test]
fn each_of_many_tokens_is_told_from_all_others() {
    let known: Vec<String> = (0..200).map(|n| format!("acctpool_{n}")).collect();
    let tokens = Tokens::new(
        known
            .iter()
            .enumerate()
            .map(|(n, token)| (TokenHash::of(token), name(&format!("c{n}")))),
    );

    for (n, token) in known.iter().enumerate() {
        assert_eq!(tokens.identify(token).unwrap().as_str(), format!("c{n}"));
        assert_eq!(tokens.identify(&format!("{token}x")), None);
        assert_eq!(tokens.identify(&token[1..]), None);
    }
    assert_eq!(tokens.identify(""), None);
    assert_eq!(tokens.names().count(), 200);
}

#[test]
fn no_token_is_known_to_an_empty_book() {
    assert!(Tokens::default().is_empty());
    assert_eq!(Tokens::default().identify(""), None);
}

#[test]
fn debug_shows_neither_token_nor_hash() {
    let token = NewToken::generate(name("ci")).unwrap();
    let hash = TokenHash::of(token.reveal());
    let shown = format!("{token:?} {:?}", Tokens::new([(hash, name("ci"))]));

    assert!(!shown.contains(&token.reveal()[9..]), "{shown}");
    assert!(!shown.contains(&hash.to_hex()[..8]), "{shown}");
    assert!(shown.contains("ci"), "{shown}");
}

#[test]
fn name_that_could_be_a_token_or_break_a_log_line_is_refused() {
    for text in [
        "",
        "-x",
        "a b",
        "a\nb",
        "a\"b",
        "é",
        "acctpool_abc",
        &"a".repeat(65),
    ] {
        assert!(
            matches!(text.parse::<TokenName>(), Err(TokenError::Name)),
            "{text:?}"
        );
    }
    for text in ["ci", "a.b@c-d_e", "0", &"a".repeat(64)] {
        assert_eq!(name(text).as_str(), text);
    }
}
