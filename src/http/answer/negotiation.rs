//! Which of its two forms `GET /` takes: JSON, unless the client prefers HTML (RFC 9110, 12.5.1).

use actix_web::HttpRequest;
use actix_web::http::header::{Accept, Header, Quality, QualityItem};
use actix_web::mime::{APPLICATION_JSON, Mime, STAR, TEXT_HTML};

/// Tells whether the client wants a page: it rates HTML above JSON, or names HTML where a wildcard
/// alone lets JSON in.
pub(crate) fn prefers_html(request: &HttpRequest) -> bool {
    // A header that cannot be read asks for nothing.
    let Ok(Accept(ranges)) = Accept::parse(request) else {
        return false;
    };
    let html = rate(&ranges, &TEXT_HTML);
    let json = rate(&ranges, &APPLICATION_JSON);
    html.quality > Quality::ZERO && (html.quality, html.precision) > (json.quality, json.precision)
}

/// How well a media type fits.
struct Rating {
    quality: Quality,
    /// Of the range that decided: 0 for none or `*/*`, 1 for `text/*`, 2 for the type itself.
    precision: u8,
}

/// Returns the rating of a media type: the most precise range that matches it decides.
fn rate(ranges: &[QualityItem<Mime>], media_type: &Mime) -> Rating {
    let mut best: Option<Rating> = None;
    for range in ranges {
        let Some(precision) = precision(&range.item, media_type) else {
            continue;
        };
        if best.as_ref().is_none_or(|best| precision > best.precision) {
            best = Some(Rating {
                quality: range.quality,
                precision,
            });
        }
    }
    best.unwrap_or(Rating {
        quality: Quality::ZERO,
        precision: 0,
    })
}

fn precision(range: &Mime, media_type: &Mime) -> Option<u8> {
    let same_type = range.type_() == media_type.type_();
    if same_type && range.subtype() == media_type.subtype() {
        Some(2)
    } else if same_type && range.subtype() == STAR {
        Some(1)
    } else if range.type_() == STAR {
        Some(0)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn is_page(accept: &str) -> bool {
        let request = TestRequest::default()
            .insert_header(("Accept", accept))
            .to_http_request();
        prefers_html(&request)
    }

    #[test]
    fn browsers_get_a_page() {
        assert!(is_page(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ));
        assert!(is_page("text/html"));
        assert!(is_page("text/*"));
        assert!(is_page("text/html, */*"));
        assert!(is_page("application/json;q=0.5, text/html;q=0.6"));
    }

    #[test]
    fn programs_get_json() {
        assert!(!prefers_html(&TestRequest::default().to_http_request()));
        assert!(!is_page("*/*"));
        assert!(!is_page("application/json"));
        assert!(!is_page("text/html, application/json"));
        assert!(!is_page("text/html;q=0, */*"));
        assert!(!is_page("text/html;q=0.3, application/*;q=0.4"));
        assert!(!is_page("image/png"));
        assert!(!is_page("chunk#;e"));
    }
}
