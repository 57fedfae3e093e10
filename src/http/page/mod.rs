//! The status page: what `GET /` says, for a person. Rendered here, without JavaScript, so that
//! nothing has to be trusted but one style sheet and one icon of our own.

mod assets;
mod reference;

use acctpool_actors::pool::{AccountType, Statistics, Timestamp, TypeStatistics};
use maud::{DOCTYPE, Markup, html};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

pub(super) use assets::{ASSETS, CACHING};
pub(super) use reference::{__path_reference, reference};

/// What the page may load, and who may frame it.
pub(super) const SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The width of a full bar, in its own units, and of the gap between two parts.
const BAR_WIDTH: usize = 1000;
const BAR_GAP: usize = 6;

/// One state's part in a type: its word, and how many accounts are in it.
type Part = (&'static str, usize);

/// Renders the page.
pub(super) fn render(statistics: &Statistics, started_at: Timestamp, version: &str) -> Markup {
    let causes = causes(statistics);
    let is_degraded = statistics.is_degraded();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (if is_degraded { "Degraded" } else { "OK" }) " · acctpool" }
                link rel="icon" type="image/svg+xml" href=(assets::ICON);
                link rel="stylesheet" href=(assets::STYLE);
            }
            body {
                header {
                    p.brand { img src=(assets::ICON) alt="" width="28" height="28"; "acctpool" }
                    p.tagline { "IBM Cloud accounts, lent clean" }
                }
                main {
                    section.status.degraded[is_degraded] aria-labelledby="status" {
                        h1 #status { (headline(statistics, is_degraded)) }
                        @if !causes.is_empty() {
                            ul { @for cause in &causes { li { (cause) } } }
                        }
                    }
                    @if statistics.types.is_empty() {
                        (nothing_yet())
                    } @else {
                        div.types {
                            @for (account_type, counts) in &statistics.types {
                                (tile(account_type, counts))
                            }
                        }
                    }
                }
                footer {
                    p { "Version " (version) ", running since " (moment(started_at)) "." }
                    p { "The same as JSON: " code { "curl -H 'Accept: application/json'" } " this address. " a href="/docs/" { "All that can be asked" } "." }
                }
            }
        }
    }
}

fn headline(statistics: &Statistics, is_degraded: bool) -> String {
    let total: usize = statistics.types.values().map(TypeStatistics::total).sum();
    let ready: usize = statistics.types.values().map(|counts| counts.ready).sum();
    let word = if is_degraded { "Degraded" } else { "OK" };
    match total {
        0 => format!("{word}: there are no accounts"),
        1 => format!("{word}: {ready} of 1 account ready to be lent"),
        _ => format!("{word}: {ready} of {total} accounts ready to be lent"),
    }
}

/// Returns a sentence for each reason why the operator should look, with a link to its type.
fn causes(statistics: &Statistics) -> Vec<Markup> {
    let mut causes = Vec::new();
    for (account_type, counts) in &statistics.types {
        let link = html! { a href={ "#" (anchor(account_type)) } { (account_type.as_str()) } };
        if counts.quarantined > 0 {
            let (accounts, need) = match counts.quarantined {
                1 => ("account is quarantined", "needs"),
                _ => ("accounts are quarantined", "need"),
            };
            causes.push(html! {
                (counts.quarantined) " " (link) " " (accounts) " and " (need)
                " a person; the log names the reason."
            });
        }
        if counts.pending > 0 && !can_become_ready(counts) {
            let (reservations, wait) =
                plural(counts.pending, "reservation waits", "reservations wait");
            causes.push(html! {
                (reservations) " " (wait) " for the type " (link) ", of which no account can become ready."
            });
        }
    }
    causes
}

fn can_become_ready(counts: &TypeStatistics) -> bool {
    counts.ready + counts.leased + counts.dirty + counts.cleaning > 0
}

fn tile(account_type: &AccountType, counts: &TypeStatistics) -> Markup {
    let parts: [Part; 6] = [
        ("ready", counts.ready),
        ("leased", counts.leased),
        ("cleaning", counts.cleaning),
        ("dirty", counts.dirty),
        ("quarantined", counts.quarantined),
        ("drained", counts.drained),
    ];
    let anchor = anchor(account_type);
    let (waiting, wait) = plural(counts.pending, "waits", "wait");
    html! {
        section.type aria-labelledby=(anchor) {
            h2 #(anchor) { (account_type.as_str()) }
            p.available { strong { (counts.ready) } " ready of " (counts.total()) }
            (bar(&parts, counts.total()))
            dl.parts {
                @for (state, count) in parts {
                    div.part.none[count == 0] {
                        dt { span.swatch.(state) {} (state) }
                        dd { (count) }
                    }
                }
            }
            p.reservations {
                "Reservations: "
                span.waiting[counts.pending > 0] { (waiting) " " (wait) }
                ", " (counts.active) " active"
            }
        }
    }
}

/// Draws the parts side by side. The numbers stand beside it in text, so it is hidden from those
/// who listen.
fn bar(parts: &[Part], total: usize) -> Markup {
    let shown: Vec<&Part> = parts.iter().filter(|(_, count)| *count > 0).collect();
    let drawable = BAR_WIDTH.saturating_sub(BAR_GAP * shown.len().saturating_sub(1));
    let mut before = 0;
    let mut segments = Vec::new();
    for (index, (state, count)) in shown.into_iter().enumerate() {
        let start = drawable * before / total + BAR_GAP * index;
        before += count;
        let end = drawable * before / total + BAR_GAP * index;
        segments.push((*state, start, end - start));
    }
    html! {
        svg.bar aria-hidden="true" viewBox={ "0 0 " (BAR_WIDTH) " 10" } preserveAspectRatio="none" {
            @for (state, start, width) in segments {
                rect class=(state) x=(start) y="0" width=(width) height="10" {}
            }
        }
    }
}

fn nothing_yet() -> Markup {
    html! {
        section.empty aria-labelledby="empty" {
            h2 #empty { "No accounts yet" }
            p { "Add an account to the configuration and start the service again:" }
            pre role="region" tabindex="0" aria-label="configuration to add" { code {
                "[[accounts]]\n"
                "id = \"0123456789abcdef0123456789abcdef\"\n"
                "type = \"free\"\n"
                "api_key_file = \"/etc/acctpool/free-1.key\"\n"
            } }
            p { "Then ask for one:" }
            pre role="region" tabindex="0" aria-label="command to try" { code {
                "curl -L -d '' -H \"Authorization: Bearer $ACCTPOOL_TOKEN\" \\\n"
                "  \"$ACCTPOOL_URL/reservations?type=free&duration=60\"\n"
            } }
        }
    }
}

fn anchor(account_type: &AccountType) -> String {
    format!("type-{}", account_type.as_str())
}

fn plural(count: usize, one: &'static str, many: &'static str) -> (usize, &'static str) {
    (count, if count == 1 { one } else { many })
}

fn moment(moment: Timestamp) -> Markup {
    let exact = moment.truncate_to_second().format(&Rfc3339);
    let plain = moment.format(format_description!(
        "[year]-[month]-[day] [hour]:[minute] UTC"
    ));
    html! {
        @if let (Ok(exact), Ok(plain)) = (exact, plain) {
            time datetime=(exact) { (plain) }
        } @else {
            // Only years beyond 9999 cannot be written.
            "an unknown moment"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(types: &[(&str, TypeStatistics)]) -> String {
        let types = types
            .iter()
            .map(|(name, counts)| (AccountType::from(*name), *counts))
            .collect();
        render(&Statistics { types }, Timestamp::UNIX_EPOCH, "1.2.3").into_string()
    }

    #[test]
    fn a_quarantined_account_is_the_cause_and_links_to_its_type() {
        let counts = TypeStatistics {
            ready: 1,
            quarantined: 1,
            ..TypeStatistics::default()
        };
        let page = page(&[("lite", counts)]);
        assert!(
            page.contains("Degraded: 1 of 2 accounts ready to be lent"),
            "{page}"
        );
        assert!(
            page.contains("1 <a href=\"#type-lite\">lite</a> account is quarantined"),
            "{page}"
        );
        assert!(page.contains("id=\"type-lite\""), "{page}");
    }

    #[test]
    fn hopeless_waiters_are_a_cause() {
        let counts = TypeStatistics {
            drained: 1,
            pending: 2,
            ..TypeStatistics::default()
        };
        assert!(page(&[("free", counts)]).contains("2 reservations wait for the type"));
    }

    #[test]
    fn labels_are_escaped() {
        let page = page(&[("<script>", TypeStatistics::default())]);
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }

    #[test]
    fn an_empty_pool_says_how_to_begin() {
        let page = page(&[]);
        assert!(page.contains("OK: there are no accounts"), "{page}");
        assert!(page.contains("[[accounts]]"), "{page}");
    }

    #[test]
    fn the_parts_of_a_bar_fill_it() {
        let parts = [("ready", 1), ("leased", 0), ("dirty", 2)];
        let bar = bar(&parts, 3).into_string();
        assert!(
            bar.contains("class=\"ready\" x=\"0\" y=\"0\" width=\"331\""),
            "{bar}"
        );
        assert!(
            bar.contains("class=\"dirty\" x=\"337\" y=\"0\" width=\"663\""),
            "{bar}"
        );
        assert!(!bar.contains("leased"), "{bar}");
    }
}
