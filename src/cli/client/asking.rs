//! What is asked for.

use std::env;
use std::time::Duration;

use clap::Args;

use crate::client::Wish;
use crate::config::duration;

/// The shortest time to live that a server takes.
const SHORTEST_TTL: Duration = Duration::from_secs(10);

/// The longest link that a server takes, in characters.
const LONGEST_LINK: usize = 500;

/// What `run` and `reserve` have in common.
#[derive(Args, Debug)]
pub(super) struct Asking {
    /// The type of account [default: what the server lends by default, `free`].
    #[arg(long = "type", value_name = "TYPE", env = "ACCTPOOL_TYPE")]
    account_type: Option<String>,
    /// How long to have it at most: such as 90m or 2h; bare digits are minutes [default: the type's].
    #[arg(long, value_name = "TIME", env = "ACCTPOOL_DURATION")]
    duration: Option<String>,
    /// How long to wait for it at most.
    #[arg(
        long,
        value_name = "TIME",
        env = "ACCTPOOL_WAIT",
        default_value = "30m",
        value_parser = wait
    )]
    pub(super) wait: Duration,
    /// What for, in a few words that operators see.
    #[arg(long, value_name = "TEXT", env = "ACCTPOOL_PURPOSE")]
    purpose: Option<String>,
    /// An http address that tells operators more [default: this run's, in GitHub Actions, GitLab CI
    /// and Jenkins].
    #[arg(long, value_name = "URL", env = "ACCTPOOL_LINK")]
    link: Option<String>,
}

impl Asking {
    /// Returns what to ask the server for.
    pub(super) fn wish(&self, ttl: Option<Duration>, count: Option<u32>) -> Wish {
        // A CI sets what it has no value for to nothing.
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let from_ci = || link_of_ci(|name| env::var(name).ok());
        Wish {
            account_type: said(&self.account_type),
            duration: said(&self.duration),
            ttl,
            count: count.filter(|count| *count > 1),
            purpose: said(&self.purpose),
            link: said(&self.link).or_else(from_ci),
        }
    }
}

/// Reads how long to wait, which may be not at all.
fn wait(text: &str) -> Result<Duration, String> {
    if matches!(text.trim(), "0" | "0s" | "0m" | "0h") {
        return Ok(Duration::ZERO);
    }
    duration::parse(text).ok_or_else(|| format!("0, or {}", duration::ALLOWED))
}

/// Reads a time to live.
pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .filter(|ttl| *ttl >= SHORTEST_TTL && ttl.subsec_nanos() == 0)
        .ok_or_else(|| "whole seconds with a unit, at least 10s: such as 90s or 5m".to_owned())
}

/// Returns where a CI shows the run that this is part of. What is not usable as a link is as good as
/// none: nobody asked for it.
fn link_of_ci(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let github = || {
        Some(format!(
            "{}/{}/actions/runs/{}",
            variable("GITHUB_SERVER_URL")?,
            variable("GITHUB_REPOSITORY")?,
            variable("GITHUB_RUN_ID")?
        ))
    };
    let link = github()
        .or_else(|| variable("CI_JOB_URL"))
        .or_else(|| variable("BUILD_URL"))?;
    let rest = link
        .strip_prefix("https://")
        .or_else(|| link.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_usable = !host.is_empty()
        && !host.contains('@')
        && link.len() <= LONGEST_LINK
        && link.chars().all(|c| c.is_ascii_graphic());
    is_usable.then_some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ci_says_where_its_run_is() {
        let link = |set: &[(&str, &str)]| {
            link_of_ci(|name| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let github = [
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "me/it"),
            ("GITHUB_RUN_ID", "7"),
        ];
        let expected = "https://github.com/me/it/actions/runs/7";
        assert_eq!(link(&github).as_deref(), Some(expected));
        let gitlab = "https://gitlab.example.com/me/it/-/jobs/7";
        assert_eq!(link(&[("CI_JOB_URL", gitlab)]).as_deref(), Some(gitlab));
        let jenkins = "http://jenkins:8080/job/it/7/";
        assert_eq!(link(&[("BUILD_URL", jenkins)]).as_deref(), Some(jenkins));
        assert_eq!(link(&github[..2]), None);
        for odd in [
            "https://me:secret@ci/1",
            "file:///tmp/1",
            "https://",
            "https://ci/a b",
            "soon",
        ] {
            assert_eq!(link(&[("BUILD_URL", odd)]), None, "{odd}");
        }
    }

    #[test]
    fn waiting_may_take_no_time_but_living_must() {
        assert_eq!(wait("0"), Ok(Duration::ZERO));
        assert_eq!(wait("20"), Ok(Duration::from_mins(20)));
        assert_eq!(wait("90s"), Ok(Duration::from_secs(90)));
        assert!(wait("soon").is_err());
        assert_eq!(ttl("5m"), Ok(Duration::from_mins(5)));
        for text in ["5", "9s", "10s 1ms", "0s"] {
            assert!(ttl(text).is_err(), "{text}");
        }
    }
}
