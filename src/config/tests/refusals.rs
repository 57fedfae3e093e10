//! Each mistake is reported at its place, and all of them at once.

use super::*;

/// What is reported for a file, each problem as `line:column: message`.
pub(super) fn problems(text: &str) -> Vec<String> {
    let report = match parse(text) {
        Ok((_, report)) | Err(ConfigError::Refused(report)) => report,
        Err(other) => panic!("{other}"),
    };
    let shown = report.to_string();
    shown
        .lines()
        .map(|line| line.strip_prefix("accounts.toml:").unwrap().to_owned())
        .collect()
}

/// Checks what is reported for `text` beside the tokens and the account of [`MINIMAL`].
#[track_caller]
fn assert_problems(text: &str, expected: &[&str]) {
    // In front, so that lines count from 1 in `text`.
    let whole = format!("{text}\n{MINIMAL}");
    assert_eq!(problems(&whole), expected, "for:\n{text}");
}

const DURATION: &str = "a duration from 1ms to 3650d: text such as \"90m\", \"2h 30m\" or \"7d\", \
                        or a whole number of minutes";

#[test]
fn unknown_keys_are_refused_with_what_may_have_been_meant() {
    let allowed = "allowed: `default_duration`, `max_duration`, `rights`, `profile`";
    assert_problems(
        "[types.lite]\nright = \"standard\"\n  colour = 1",
        &[
            &format!("2:1: unknown key in [types.*] (did you mean `rights`?); {allowed}"),
            &format!("3:3: unknown key in [types.*]; {allowed}"),
        ],
    );
    assert_problems(
        "[types.lite]\nsettle = \"1m\"",
        &[&format!(
            "2:1: unknown key in [types.*] (`settle` belongs in [policy]); {allowed}"
        )],
    );
    assert_problems(
        "[polcy]",
        &[
            "1:2: unknown key in the top level (did you mean `policy`?); allowed: `server`, \
             `policy`, `types`, `ibm`, `keep`, `audit`, `webhooks`, `tokens`, `accounts`",
        ],
    );
}

#[test]
fn values_of_the_wrong_type_are_refused_with_what_was_found() {
    assert_problems(
        "[server]\nbehind_proxy = \"yes\"\nbind = 8080\ntrusted_proxies = \"10.0.0.1\"",
        &[
            "2:16: `behind_proxy` must be true or false",
            "3:8: `bind` must be an IP address and a port, such as \"127.0.0.1:8080\" or \
             \"[::1]:8080\"; found: integer",
            "4:19: `trusted_proxies` must be a list; found: string",
        ],
    );
    let whole = "server = 1\n[[policy]]\n[types]\nlite = 3\n[accounts]\n[tokens]\n";
    assert_eq!(
        problems(whole),
        [
            "1:10: `server` must be a table; found: integer",
            "2:1: `policy` must be a table; found: array",
            "4:8: `types.*` must be a table; found: integer",
            "5:1: `accounts` must be a list of tables, each with a header in double brackets; \
             found: table",
            "6:1: `tokens` must be a list of tables, each with a header in double brackets; \
             found: table",
        ]
    );
}

#[test]
fn bad_durations_are_refused() {
    for value in [
        "\"soon\"",
        "\"0s\"",
        "\"\"",
        "0",
        "-5",
        "1.5",
        "true",
        "9999999999",
    ] {
        let report = refused(&format!("[policy]\nsettle = {value}\n{MINIMAL}"));
        let problem = &report.problems()[0];
        assert_eq!((problem.line, problem.column), (2, 10), "{value}");
        let message = problem.fault.to_string();
        let expected = format!("`settle` must be {DURATION}");
        assert!(message.starts_with(&expected), "{value}: {message}");
    }
    assert_problems(
        "[policy]\nrotate_every = \"nver\"",
        &[&format!(
            "2:16: `rotate_every` must be {DURATION}; or \"never\""
        )],
    );
}

#[test]
fn upkeep_without_end_is_refused_on_ibm_cloud() {
    for key in ["verify_every", "remint_every", "rotate_every"] {
        let line = format!("[policy]\n{key} = \"599s\"");
        let refusal = format!(
            "2:16: `{key}` must be at least 10m on IBM Cloud: fresh credentials take minutes to \
             work, and an account cannot be lent meanwhile"
        );
        assert_problems(&line, &[&refusal]);
        // The simulator's are quick.
        let simulated = "[ibm]\nendpoint = \"https://simulator.example.com\"";
        assert_problems(&format!("{line}\n{simulated}"), &[]);
    }
}

#[test]
fn durations_that_contradict_each_other_are_refused() {
    assert_problems(
        "[types.lite]\ndefault_duration = \"13h\"",
        &["2:20: `default_duration` must not be longer than `max_duration`, which is 12h"],
    );
    assert_problems(
        "[policy]\nbackoff_min = \"10m\"",
        &["2:15: `backoff_min` must not be longer than `backoff_max`, which is 5m"],
    );
    assert_problems(
        "[policy]\nbackoff_max = \"10ms\"",
        &["2:15: `backoff_min` must not be longer than `backoff_max`, which is 10ms"],
    );
    assert_problems(
        "[policy]\npass_timeout = \"3h\"\nsettle = \"118m\"",
        &[
            "1:1: `cleaning_timeout` must be longer than `settle` and `proof_gap` together, which \
             are 2h",
            "2:16: `pass_timeout` must not be longer than `cleaning_timeout`, which is 2h",
        ],
    );
}

#[test]
fn counts_and_words_outside_of_what_is_allowed_are_refused() {
    assert_problems(
        "[server]\nmax_connections = 0\n[ibm]\nrequests_at_once = 65\n[policy]\n\
         max_pending = 1000001\nstuck_passes = 99999999999999999999\ncleaning_attempts = 0x10\n\
         [types.lite]\nrights = \"root\"",
        &[
            "2:19: `max_connections` must be a whole number from 1 to 1000000; found: integer",
            "4:20: `requests_at_once` must be a whole number from 1 to 64; found: integer",
            "6:15: `max_pending` must be a whole number from 1 to 1000000; found: integer",
            "7:16: `stuck_passes` must be a whole number from 1 to 1000000; found: integer",
            "10:10: `rights` must be \"standard\" or \"administrator\"",
        ],
    );
}

#[test]
fn names_of_types_that_are_no_labels_are_refused() {
    let allowed = "a label of 1 to 32 lowercase letters, digits, - or _, beginning with a letter \
                   or digit, such as \"lite\"";
    for name in ["\"\"", "Lite", "-a", "\"a b\"", &"a".repeat(33)] {
        assert_problems(
            &format!("[types.{name}]"),
            &[&format!(
                "1:8: the type in the name of this section must be {allowed}"
            )],
        );
        let value = name.trim_matches('"');
        let text = MINIMAL.replace("\"lite\"", &format!("\"{value}\""));
        assert_eq!(problems(&text), [format!("7:8: `type` must be {allowed}")]);
    }
}

#[test]
fn missing_keys_are_named_at_their_header() {
    assert_eq!(
        problems("[[tokens]]\n\n  [[accounts]]\n"),
        [
            "1:1: `name` is missing in [[tokens]]",
            "1:1: `sha256` is missing in [[tokens]]",
            "3:3: `id` is missing in [[accounts]]",
            "3:3: `type` is missing in [[accounts]]",
            "3:3: an account needs exactly one of `api_key`, `api_key_file`, `api_key_env`; found: \
             0",
        ]
    );
}

#[test]
fn account_with_several_sources_of_a_key_is_refused() {
    let text = format!("{MINIMAL}api_key_env = \"A\"\napi_key_file = \"b\"");
    assert_eq!(
        problems(&text),
        [
            "8:11: an account needs exactly one of `api_key`, `api_key_file`, `api_key_env`; \
             found: 3"
        ]
    );
}

#[test]
fn repetitions_are_refused_with_the_line_of_the_first() {
    let text = format!("{MINIMAL}{MINIMAL}");
    assert_eq!(
        problems(&text),
        [
            "11:8: the same name as in line 3",
            "12:10: the same token as in line 4",
            "14:6: the same account id as in line 6",
            "16:11: the same API key as in line 8",
        ]
    );
}

#[test]
fn one_key_from_two_sources_is_still_one_key() {
    let text = format!(
        "{MINIMAL}[[accounts]]\nid = \"00000000000000000000000000000002\"\ntype = \"lite\"\n\
         api_key_env = \"KEY\""
    );
    let env = |_: &str| Some("key-of-the-owner\n".to_owned());
    let error = Config::parse(&text, Path::new("a.toml"), &env).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.toml:12:15: the same API key as in line 8"
    );
}

#[test]
fn ids_and_hashes_of_another_shape_are_refused() {
    let shapes = [
        (
            "0123456789abcdef0123456789abcdef",
            "0123456789ABCDEF0123456789ABCDEF",
        ),
        ("ba7816bf", "za7816bf"),
        ("\"ci\"", "\"a b\""),
        ("key-of-the-owner", "key of the owner"),
    ];
    let text = shapes.iter().fold(MINIMAL.to_owned(), |text, (from, to)| {
        text.replace(from, to)
    });
    assert_eq!(
        problems(&text),
        [
            "3:8: `name` must be 1 to 64 letters, digits or any of . _ - @, beginning with a \
             letter or digit and not with \"acctpool_\"",
            "4:10: `sha256` must be 64 hexadecimal digits; `acctpool token new NAME` prints them",
            "6:6: `id` must be an account id: 32 lowercase hexadecimal digits",
            "8:11: `api_key` must be an API key: 1 to 1024 characters without spaces",
        ]
    );
}

#[test]
fn token_in_place_of_its_hash_is_called_leaked() {
    let text = MINIMAL.replace("ba7816bf", "acctpool_");
    let report = refused(&text);
    assert_eq!(report.problems()[0].fault, Fault::ClearToken);
    assert_eq!(report.problems()[0].line, 4);
}

#[test]
fn protected_account_cannot_be_lent() {
    assert_problems(
        "[keep]\nprotected_accounts = [\n  \"0123456789abcdef0123456789abcdef\", \"x\"]",
        &[
            "3:39: each entry of `protected_accounts` must be an account id: 32 lowercase hexadecimal digits",
            "9:6: this account is in `protected_accounts` (line 3), so it cannot be lent",
        ],
    );
}

#[test]
fn entries_of_the_keep_list_are_checked() {
    assert_problems(
        "[keep]\ncrns = [\"crn:v1:a\", \"b\"]\ntag = \"a,b\"\nresource_groups = [\" \"]\n\
         users = [3]",
        &[
            "2:21: each entry of `crns` must be a CRN, which begins with \"crn:\"",
            "3:7: `tag` must be a tag of 1 to 128 letters, digits, spaces or any of _ - . :",
            "4:20: each entry of `resource_groups` must be the name of a resource group",
            "5:10: each entry of `users` must be an IAM id, such as \"IBMid-270000ABCD\"; found: integer",
        ],
    );
}

#[test]
fn groups_are_kept_only_with_what_is_old() {
    let refusal = "`resource_groups` needs `created_before`: only what is older than that moment \
                   is kept by its group, since a borrower can choose the group of a resource, too";
    let groups = "[keep]\nresource_groups = [\"a\"]";
    assert_problems(groups, &[&format!("2:20: {refusal}")]);
    let old = format!("{groups}\ncreated_before = 2026-05-01T00:00:00Z");
    assert_problems(&old, &[]);
    assert_problems(
        "[keep]\ncreated_before = 2026-05-01",
        &[
            "2:18: `created_before` must be a moment with its offset, such as 2026-05-01T00:00:00Z, or \"never\"; found: datetime",
        ],
    );
}

#[test]
fn plain_http_is_refused_but_for_loopback_with_leave() {
    let refusal = |key: &str| {
        format!(
            "`{key}` must begin with https://; plain http is for loopback addresses only, and \
             needs `allow_plain_http = true`"
        )
    };
    for host in ["127.0.0.1:1", "127.9.9.9", "[::1]:1", "localhost"] {
        let line = format!("[ibm]\niam = \"http://{host}\"");
        assert_problems(&line, &[&format!("2:7: {}", refusal("iam"))]);
        assert_problems(&format!("{line}\nallow_plain_http = true"), &[]);
    }
    for host in [
        "iam.cloud.ibm.com",
        "10.0.0.1",
        "localhost.example.com",
        "127.0.0.1.nip.io",
    ] {
        assert_problems(
            &format!("[ibm]\nallow_plain_http = true\nendpoint = \"http://{host}\""),
            &[&format!("3:12: {}", refusal("endpoint"))],
        );
    }
}

#[test]
fn urls_that_are_no_base_are_refused() {
    for url in [
        "",
        "iam.cloud.ibm.com",
        "/identity",
        "ftp://a",
        "https://",
        "https://user:pw@a",
        "https://a?b=c",
        "https://a#b",
        "https://a b",
        "https://:443",
    ] {
        assert_problems(
            &format!("[ibm]\niam = \"{url}\""),
            &[
                "2:7: `iam` must be a URL such as \"https://iam.cloud.ibm.com\", without user, \
                 query and fragment",
            ],
        );
    }
}

#[test]
fn clear_text_off_loopback_is_refused_without_a_proxy() {
    let line = "[server]\nbind = \"0.0.0.0:8080\"";
    assert_problems(
        line,
        &[
            "2:8: `bind` must be a loopback address: tokens would travel in clear text; behind a \
             proxy that adds TLS, set `behind_proxy = true`; to speak TLS, set `tls_certificate` and \
             `tls_key`",
        ],
    );
    assert_problems(&format!("{line}\nbehind_proxy = true"), &[]);
}

#[test]
fn key_that_cannot_be_had_is_refused_where_its_source_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("empty.key"), "\n").unwrap();
    let source = |line: &str| {
        let text = MINIMAL.replace("api_key = \"key-of-the-owner\"", line);
        let path = directory.path().join("accounts.toml");
        let error = Config::parse(&text, &path, &no_env).unwrap_err();
        let Some(message) = error
            .to_string()
            .rsplit_once("accounts.toml:")
            .map(|m| m.1.to_owned())
        else {
            panic!("{error}")
        };
        message
    };
    assert_eq!(
        source("api_key_file = \"none.key\""),
        "8:16: the file named by `api_key_file` cannot be read: entity not found"
    );
    assert_eq!(
        source("api_key_file = \".\""),
        "8:16: the file named by `api_key_file` cannot be read: is a directory"
    );
    assert_eq!(
        source("api_key_env = \"NONE\""),
        "8:15: the environment variable named by `api_key_env` is not set"
    );
    assert_eq!(
        source("api_key_env = \"A=B\""),
        "8:15: `api_key_env` must be the name of an environment variable: letters, digits and _"
    );
    let empty = source("api_key_file = \"empty.key\"");
    assert_eq!(
        empty.lines().last().unwrap(),
        "8:16: what `api_key_file` names must hold an API key: 1 to 1024 characters without spaces"
    );
}

#[test]
fn what_works_but_may_not_be_meant_is_a_warning() {
    assert_eq!(
        problems("[types.lite]\n[policy]\nsettle = \"9m\""),
        [
            "1:1: warning: no [[accounts]]: nothing can be lent",
            "1:1: warning: no [[tokens]]: nobody can reserve; `acctpool token new NAME` makes one",
            "1:8: warning: no account is of this type",
            "3:10: warning: `settle` is shorter than the 10 minutes for which IBM's caches may \
             still honour a revoked credential",
        ]
    );
    let simulated = "[ibm]\nendpoint = \"https://sim\"\n[policy]\nsettle = \"1s\"";
    assert_problems(simulated, &[]);
}

#[test]
fn type_of_a_refused_account_is_in_use() {
    let text = MINIMAL.replace("0123456789abcdef", "short");
    let report = refused(&format!("{text}[types.lite]"));
    assert_eq!(report.problems().len(), 1, "{report}");
}

#[test]
fn all_problems_of_a_file_are_reported_at_once_in_order() {
    let places: Vec<String> = problems(
        "[server]\nbind = \"x\"\nbnd = 1\n[policy]\nsettle = \"x\"\nproof_gap = 0\n\
         [types.X]\nrights = 1\n[ibm]\niam = \"x\"\n[keep]\ntag = \"\"\n[[tokens]]\nname = \"\"\n\
         [[accounts]]\nid = \"x\"\n[[accounts]]\ntype = \"\"",
    )
    .iter()
    .map(|line| line.split(": ").next().unwrap().to_owned())
    .collect();
    assert_eq!(
        places,
        [
            "2:8", "3:1", "5:10", "6:13", "7:8", "8:10", "10:7", "12:7", "13:1", "14:8", "15:1",
            "15:1", "16:6", "17:1", "17:1", "18:8",
        ]
    );
}

#[test]
fn syntax_errors_are_reported_beside_what_was_read_whole() {
    let text = "[server]\nbind = 127.0.0.1:8080\nmax_connections = 0\n[policy\nsettle = \"x\"\n\
                [types.lite]\nrights = \"root\nmax_duration = \"0s\"\n";
    assert_eq!(
        problems(text),
        [
            "2:13: syntax: invalid float, expected nothing".to_owned(),
            "3:19: `max_connections` must be a whole number from 1 to 1000000; found: integer"
                .to_owned(),
            "4:8: syntax: unclosed table, expected `]`".to_owned(),
            "7:15: syntax: invalid basic string, expected `\"`".to_owned(),
            format!("8:16: `max_duration` must be {DURATION}"),
        ]
    );
}

#[test]
fn syntax_error_hides_what_may_only_seem_to_be_missing() {
    let text = MINIMAL.replace("api_key =", "api_key");
    assert_eq!(
        problems(&text),
        ["8:9: syntax: key with no value, expected `=`"]
    );
    let text = MINIMAL.replace("[[accounts]]", "[[accounts]");
    assert_eq!(
        problems(&text),
        ["5:12: syntax: unclosed array table, expected `]`"]
    );
}

#[test]
fn columns_count_characters() {
    assert_problems(
        "keep = { tag = \"é\", \"ключ\" = 1, users = [1] }",
        &[
            "1:16: `tag` must be a tag of 1 to 128 letters, digits, spaces or any of _ - . :",
            "1:21: unknown key in [keep]; allowed: `crns`, `tag`, `resource_groups`, \
             `created_before`, `users`, `collections`, `protected_accounts`",
            "1:42: each entry of `users` must be an IAM id, such as \"IBMid-270000ABCD\"; found: integer",
        ],
    );
}

#[test]
fn limits_of_a_token_that_cannot_be_meant_are_refused() {
    let with = |limits: &str| {
        problems(&MINIMAL.replace("[[accounts]]", &format!("{limits}\n[[accounts]]")))
    };
    assert_eq!(
        with("role = \"root\"\ntypes = []\nmax_duration = 0"),
        [
            "5:8: `role` must be \"consumer\", \"operator\" or \"viewer\"".to_owned(),
            "6:9: `types` must name a type; without it, the token may ask for any".to_owned(),
            format!("7:16: `max_duration` must be {DURATION}; found: integer"),
        ]
    );
    let count = "must be a whole number from 1 to 1000000; found: integer";
    assert_eq!(
        with("types = \"lite\"\nmax_reservations = 0\nrequests_per_minute = 0"),
        [
            "5:9: `types` must be a list; found: string".to_owned(),
            format!("6:20: `max_reservations` {count}"),
            format!("7:23: `requests_per_minute` {count}"),
        ]
    );
    assert_eq!(
        with("types = [\"lite\", \"gold\", \"Gold\"]"),
        [
            "5:18: warning: no account is of this type",
            "5:26: each entry of `types` must be a label of 1 to 32 lowercase letters, digits, - or _, \
             beginning with a letter or digit, such as \"lite\"",
        ]
    );
}
