//! Every setting is read from its own key.

use super::*;

#[test]
fn settings_of_the_server_are_read() {
    let (config, _) = accepted(
        r#"
        [server]
        bind = "[::1]:1"
        allow_query_tokens = false
        behind_proxy = true
        trusted_proxies = ["10.0.0.1", "::1"]
        max_connections = 2
        client_timeout = "3s"
        shutdown_timeout = "4s""#,
    );
    let expected = Server {
        bind: "[::1]:1".parse().unwrap(),
        certificate: None,
        allow_query_tokens: false,
        behind_proxy: true,
        trusted_proxies: vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        max_connections: 2,
        client_timeout: Duration::from_secs(3),
        shutdown_timeout: Duration::from_secs(4),
    };
    assert_eq!(config.server, expected);
}

#[test]
fn settings_of_the_pool_are_read() {
    let (config, _) = accepted(
        r#"
        [policy]
        pending_timeout = "1s"
        claim_timeout = "2s"
        exhausted_after = "2500ms"
        settle = "3s"
        proof_gap = "4s"
        pass_interval = "5s"
        pass_timeout = "6s"
        cleaning_timeout = "100s"
        cleaning_attempts = 7
        stuck_passes = 8
        backoff_min = "9s"
        backoff_max = "10s"
        verify_every = "11m"
        remint_every = "12m"
        rotate_every = "13m"
        credential_grace = "14s"
        retain_ended = "15s"
        max_pending_per_token = 16
        max_pending = 17
        max_ended = 18"#,
    );
    let expected = Policy {
        pending_timeout: Duration::from_secs(1),
        claim_timeout: Duration::from_secs(2),
        exhausted_after: Duration::from_millis(2500),
        settle: Duration::from_secs(3),
        proof_gap: Duration::from_secs(4),
        pass_interval: Duration::from_secs(5),
        pass_timeout: Duration::from_secs(6),
        cleaning_timeout: Duration::from_secs(100),
        cleaning_attempts: 7,
        stuck_passes: 8,
        backoff_min: Duration::from_secs(9),
        backoff_max: Duration::from_secs(10),
        verify_every: Duration::from_mins(11),
        remint_every: Duration::from_mins(12),
        rotate_every: Some(Duration::from_mins(13)),
        credential_grace: Duration::from_secs(14),
        retain_ended: Duration::from_secs(15),
        max_pending_per_token: 16,
        max_pending: 17,
        max_ended: 18,
        types: BTreeMap::new(),
        tokens: BTreeMap::new(),
    };
    assert_eq!(config.policy, expected);
}

#[test]
fn settings_of_a_type_are_read() {
    let (config, _) = accepted(
        r#"
        [types.lite]
        default_duration = 5
        max_duration = "6"
        rights = "administrator""#,
    );
    let expected = TypeSettings {
        default_duration: Duration::from_mins(5),
        max_duration: Duration::from_mins(6),
        rights: Rights::Administrator,
        profile: Profile::Full,
    };
    assert_eq!(config.types["lite"], expected);
}

#[test]
fn settings_of_the_keep_list_are_read() {
    let (config, _) = accepted(
        r#"
        [keep]
        crns = ["crn:v1:x"]
        tag = "Team:Keep"
        resource_groups = ["Default group"]
        created_before = 2026-05-01T02:00:00+02:00
        users = ["IBMid-1"]
        collections = ["SSH keys"]
        protected_accounts = ["ffffffffffffffffffffffffffffffff"]"#,
    );
    let expected = Keep {
        crns: ["crn:v1:x".to_owned()].into(),
        tag: "team:keep".to_owned(),
        resource_groups: ["Default group".to_owned()].into(),
        created_before: Some(time::macros::datetime!(2026-05-01 00:00 UTC)),
        users: ["IBMid-1".to_owned()].into(),
        collections: ["SSH keys".to_owned()].into(),
        protected_accounts: ["f".repeat(32)].into(),
    };
    assert_eq!(config.keep, expected);
}

#[test]
fn settings_of_ibm_are_read_and_one_endpoint_comes_before_all() {
    let (config, _) = accepted(
        r#"
        [ibm]
        endpoint = "http://127.0.0.1:9090/"
        global_search = "https://search.example.com/base/"
        allow_plain_http = true
        request_timeout = "7s"
        requests_at_once = 8"#,
    );
    let expected = Ibm {
        endpoints: Endpoints {
            all: Some("http://127.0.0.1:9090".to_owned()),
            single: [(
                "global_search",
                "https://search.example.com/base".to_owned(),
            )]
            .into(),
        },
        allow_plain_http: true,
        request_timeout: Duration::from_secs(7),
        requests_at_once: 8,
    };
    assert_eq!(config.ibm, expected);
}

#[test]
fn each_endpoint_is_read_from_its_own_key() {
    let keys = ENDPOINT_KEYS.into_iter().flatten();
    let mut text = "[ibm]\n".to_owned();
    let mut expected = Endpoints::default();
    for (number, key) in keys.enumerate() {
        let url = format!("https://host-{number}.example.com/{key}");
        text.extend([key, " = \"", &url, "\"\n"]);
        expected.single.insert(key, url);
    }
    let (config, _) = accepted(&text);
    assert_eq!(config.ibm.endpoints, expected);
}

#[test]
fn regional_endpoint_says_where_the_region_goes() {
    let (config, _) = accepted("[ibm]\nvpc = \"https://{region}.iaas.example.com/\"");
    let vpc = config.ibm.endpoints.single.get("vpc").map(String::as_str);
    assert_eq!(vpc, Some("https://{region}.iaas.example.com"));
}

#[test]
fn a_type_says_how_much_of_the_plan_its_accounts_need() {
    let (config, _) = accepted("[types.free]\nprofile = \"lite\"");
    assert_eq!(config.types["free"].profile, Profile::Lite);
}

#[test]
fn management_keys_may_be_rotated_never() {
    let (config, _) = accepted("[policy]\nrotate_every = \"never\"");
    assert_eq!(config.policy.rotate_every, None);
}

#[test]
fn default_duration_follows_a_shorter_maximum() {
    let (config, _) = accepted("[types.lite]\nmax_duration = \"30m\"");
    let half_an_hour = Duration::from_mins(30);
    assert_eq!(config.types["lite"].default_duration, half_an_hour);
}

#[test]
fn a_token_says_what_it_may_do() {
    let limits = r#"
        [[tokens]]
        name = "nightly"
        sha256 = "0000000000000000000000000000000000000000000000000000000000000001"
        role = "operator"
        types = ["lite"]
        max_duration = "4h"
        max_reservations = 3
        requests_per_minute = 60"#;
    let (config, report) = accepted(&format!("{MINIMAL}{limits}"));
    assert!(report.is_empty(), "{report}");
    let of = |name: &str| &config.token_settings[&name.parse().unwrap()];
    let expected = TokenSettings {
        role: Role::Operator,
        types: Some(["lite".to_owned()].into()),
        max_duration: Some(Duration::from_hours(4)),
        max_reservations: Some(3),
        requests_per_minute: Some(60),
    };
    assert_eq!(of("nightly"), &expected);
    assert_eq!(of("ci"), &TokenSettings::default());
    assert_eq!(of("ci").role, Role::Consumer);
    let viewer = limits.replace("operator", "viewer");
    let (config, _) = accepted(&format!("{MINIMAL}{viewer}"));
    assert_eq!(
        config.token_settings[&"nightly".parse().unwrap()].role,
        Role::Viewer
    );
}

#[test]
fn the_file_of_the_audit_is_beside_this_one() {
    let (config, _) = accepted("[audit]\nfile = \"audit.jsonl\"");
    assert_eq!(config.audit.file.as_deref(), Some(Path::new("audit.jsonl")));
    let text = format!("[audit]\nfile = \"log/audit.jsonl\"\n{MINIMAL}");
    let (config, _) = Config::parse(&text, Path::new("/etc/acctpool/a.toml"), &no_env).unwrap();
    assert_eq!(
        config.audit.file.as_deref(),
        Some(Path::new("/etc/acctpool/log/audit.jsonl"))
    );
}
