//! `acctpool show`: one reservation.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::super::{Failure, exit_code};
use super::options::ServerOptions;
use super::printing::outline;
use super::variables::{GitHub, shell, variables};
use super::{Named, on_this_thread, print};
use crate::client::State;

/// See the verb.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 3 there is no such reservation of yours, or it has ended (then it is printed all the same).")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    reservation: Named,
    /// How to print it.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people; no credentials.
    Text,
    /// For programs: what the server answered; no credentials.
    Json,
    /// Lines for a shell, which set the credentials of an active one.
    Env,
    /// For a step of a GitHub job: masks the credentials and sets them for later steps.
    Github,
}

impl Show {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let client = self.server.client()?;
        let id = &self.reservation.id;
        let seen = on_this_thread(client.show(id, None));
        let mut told = seen.map_err(Failure::of_server("not shown"))?.told;
        match self.format {
            Format::Text => print(&outline(&without_credentials(told.document)))?,
            Format::Json => print(&without_credentials(told.document).to_string())?,
            Format::Env | Format::Github if told.facts.state != State::Active => {}
            Format::Env => print(&shell(&variables(&mut told.facts)?))?,
            Format::Github => GitHub::find()?
                .hand_over(&variables(&mut told.facts)?)
                .map_err(Failure::of("cannot hand the account to later steps"))?,
        }
        match (told.facts.state, self.format) {
            (State::Ended, _) => Err(Failure::Exit {
                code: exit_code::NOT_FOUND,
                message: format!("reservation {id} has ended"),
                source: None,
            }),
            (State::Pending, Format::Env | Format::Github) => Err(Failure::Exit {
                code: exit_code::CONFLICT,
                message: format!("reservation {id} is pending: it holds no account yet"),
                source: None,
            }),
            _ => Ok(()),
        }
    }
}

/// Takes out of a reservation what is nobody's business.
fn without_credentials(mut document: Value) -> Value {
    let leases = document.get_mut("leases").and_then(Value::as_array_mut);
    for lease in leases.into_iter().flatten() {
        remove(lease);
    }
    remove(&mut document);
    document
}

fn remove(document: &mut Value) {
    if let Value::Object(members) = document {
        members.remove("credentials");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_credential_is_left_of_one_account_or_several() {
        let single = json!({"id": "R", "account": {"id": "A"}, "credentials": {"api_key": "k"}});
        let shown = without_credentials(single);
        assert_eq!(shown, json!({"id": "R", "account": {"id": "A"}}));
        let several =
            json!({"leases": [{"account": {"id": "A"}, "credentials": {"api_key": "k"}}]});
        let shown = without_credentials(several);
        assert_eq!(shown, json!({"leases": [{"account": {"id": "A"}}]}));
    }
}
