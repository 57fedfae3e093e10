//! A lease as environment variables: for the command that `run` starts, for a shell, for the later
//! steps of a GitHub job.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::{env, io};

use secrecy::{ExposeSecret, SecretString};
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::super::{Failure, exit_code};
use crate::client::Reservation;

/// Where the public IBM Cloud exchanges keys: what its tools do without being told.
const PUBLIC_IAM: &str = "https://iam.cloud.ibm.com";

/// One of them.
pub(super) struct Variable {
    /// Its name.
    pub(super) name: String,
    /// Its value.
    pub(super) value: SecretString,
    /// Whether nobody else may see it.
    is_secret: bool,
}

/// Returns what programs need who use what a reservation holds. With several accounts, what belongs
/// to the first ends in `_1`, and so on.
///
/// `IC_API_KEY` is what the Terraform provider reads first (`ecosystem.md` 3), and one that was set
/// before would lead to another account.
pub(super) fn variables(reservation: &mut Reservation) -> Result<Vec<Variable>, Failure> {
    let mut variables = vec![Variable::open("ACCTPOOL_RESERVATION_ID", &reservation.id)];
    let expiration = reservation
        .expiration
        .and_then(|expiration| expiration.format(&Rfc3339).ok());
    variables.extend(expiration.map(|at| Variable::open("ACCTPOOL_EXPIRATION", &at)));
    let leases = reservation.take_leases();
    let several = leases.len() > 1;
    for (number, lease) in (1..).zip(leases) {
        let suffix = several.then(|| format!("_{number}"));
        let name = |name: &str| format!("{name}{}", suffix.as_deref().unwrap_or_default());
        variables.push(Variable::open(name("ACCTPOOL_ACCOUNT_ID"), lease.account()));
        let Some(credentials) = lease.credentials else {
            continue;
        };
        for key in ["IBMCLOUD_API_KEY", "IC_API_KEY"] {
            variables.push(Variable {
                name: name(key),
                value: credentials.api_key.clone(),
                is_secret: true,
            });
        }
        let iam = credentials.iam_url.filter(|url| url != PUBLIC_IAM);
        variables.extend(iam.map(|url| Variable::open(name("IBMCLOUD_IAM_API_ENDPOINT"), &url)));
    }
    // Such a value could pass for several lines, and those for other variables.
    let is_odd = |variable: &Variable| variable.value.expose_secret().contains(char::is_control);
    if variables.iter().any(is_odd) {
        return Err(Failure::Found(
            "the server's answer holds control characters".to_owned(),
        ));
    }
    Ok(variables)
}

impl Variable {
    pub(super) fn open(name: impl Into<String>, value: &str) -> Self {
        Self {
            name: name.into(),
            value: SecretString::from(value),
            is_secret: false,
        }
    }
}

/// Writes lines that a POSIX shell can evaluate.
pub(super) fn shell(variables: &[Variable]) -> Zeroizing<String> {
    let lines = variables.iter().map(|variable| {
        let value = variable.value.expose_secret().replace('\'', r"'\''");
        format!("export {}='{value}'", variable.name)
    });
    Zeroizing::new(lines.collect::<Vec<_>>().join("\n"))
}

/// The files by which a step of a GitHub job hands values to later ones.
pub(super) struct GitHub {
    environment: PathBuf,
    output: Option<PathBuf>,
}

impl GitHub {
    /// Finds them, or says that this is no GitHub job.
    pub(super) fn find() -> Result<Self, Failure> {
        let file = |name: &str| {
            let path = env::var_os(name).filter(|path| !path.is_empty());
            path.map(PathBuf::from)
        };
        let Some(environment) = file("GITHUB_ENV") else {
            return Err(Failure::Exit {
                code: exit_code::USAGE,
                message: "GITHUB_ENV is not set: the format github is for a step of a GitHub job"
                    .to_owned(),
                source: None,
            });
        };
        Ok(Self {
            environment,
            output: file("GITHUB_OUTPUT"),
        })
    }

    /// Hands the variables over: masks what is secret, by lines on stdout as GitHub reads them, then
    /// sets the variables for later steps, and those that are not secret as outputs of this step too,
    /// in lower case and without `acctpool_`.
    pub(super) fn hand_over(&self, variables: &[Variable]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for variable in variables.iter().filter(|variable| variable.is_secret) {
            writeln!(out, "::add-mask::{}", variable.value.expose_secret())?;
        }
        out.flush()?;
        let append = |file: &PathBuf| OpenOptions::new().append(true).create(true).open(file);
        let mut environment = append(&self.environment)?;
        for variable in variables {
            let value = variable.value.expose_secret();
            writeln!(environment, "{}={value}", variable.name)?;
        }
        let Some(output) = &self.output else {
            return Ok(());
        };
        let mut output = append(output)?;
        for variable in variables.iter().filter(|variable| !variable.is_secret) {
            let name = variable.name.to_lowercase();
            let name = name.strip_prefix("acctpool_").unwrap_or(&name);
            writeln!(output, "{name}={}", variable.value.expose_secret())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(document: Value) -> Vec<Variable> {
        variables(&mut serde_json::from_value(document).unwrap()).unwrap()
    }

    #[test]
    fn one_account_is_what_ibms_tools_look_for() {
        let found = of(json!({
            "id": "R", "state": "active", "expiration": "2026-05-01T11:00:00Z",
            "account": {"id": "A"},
            "credentials": {"api_key": "it's", "iam_url": "https://iam.cloud.ibm.com"},
        }));
        let expected = r"export ACCTPOOL_RESERVATION_ID='R'
export ACCTPOOL_EXPIRATION='2026-05-01T11:00:00Z'
export ACCTPOOL_ACCOUNT_ID='A'
export IBMCLOUD_API_KEY='it'\''s'
export IC_API_KEY='it'\''s'";
        assert_eq!(*shell(&found), expected);
    }

    #[test]
    fn several_accounts_are_numbered_and_a_private_iam_is_named() {
        let lease = |id: &str| {
            json!({
                "account": {"id": id},
                "credentials": {"api_key": id, "iam_url": "http://127.0.0.1:1"},
            })
        };
        let found = of(json!({
            "id": "R", "state": "active", "count": 2, "leases": [lease("A"), lease("B")],
        }));
        let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "ACCTPOOL_RESERVATION_ID",
                "ACCTPOOL_ACCOUNT_ID_1",
                "IBMCLOUD_API_KEY_1",
                "IC_API_KEY_1",
                "IBMCLOUD_IAM_API_ENDPOINT_1",
                "ACCTPOOL_ACCOUNT_ID_2",
                "IBMCLOUD_API_KEY_2",
                "IC_API_KEY_2",
                "IBMCLOUD_IAM_API_ENDPOINT_2",
            ]
        );
    }

    #[test]
    fn a_value_cannot_pass_for_another_variable() {
        let document = json!({
            "id": "R", "state": "active", "account": {"id": "A\nPATH=/tmp"},
        });
        let refused = variables(&mut serde_json::from_value(document).unwrap());
        assert!(refused.is_err());
    }
}
