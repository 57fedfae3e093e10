//! The log: lines on stderr.

use std::io::{IsTerminal, Write};

use env_logger::{Builder, Target, WriteStyle};
use log::LevelFilter;

/// Starts logging. `level` is for this program only: libraries that speak HTTP log headers, and
/// with them secrets, at their finer levels, so they never get beyond warnings.
/// `quiet_access` keeps the requests of clients out.
pub(super) fn start(level: &str, quiet_access: bool) {
    let level = level.parse().unwrap_or(LevelFilter::Info);
    let others = level.min(LevelFilter::Warn);
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    Builder::new()
        .filter_level(others)
        // Says what is wrong with every malformed request, at length, as an error: anybody could
        // fill the log with it.
        .filter_module("actix_http", LevelFilter::Off)
        .filter_module("acctpool", level)
        .filter_module("acctpool_actors", level)
        .filter_module(
            "acctpool::http::access",
            if quiet_access {
                level.min(LevelFilter::Warn)
            } else {
                level
            },
        )
        .target(Target::Stderr)
        .write_style(if color {
            WriteStyle::Always
        } else {
            WriteStyle::Never
        })
        .format(|line, record| {
            let style = line.default_level_style(record.level());
            let level = record.level();
            let time = line.timestamp_seconds();
            writeln!(line, "{time} {style}{level:<5}{style:#} {}", record.args())
        })
        .init();
}
