//! The files that the page loads. They are part of the program: nothing is read from disk.

use std::future::{Ready, ready};

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// The path of the style sheet.
pub(super) const STYLE: &str = "/assets/acctpool.css";
/// The path of the icon.
pub(super) const ICON: &str = "/assets/acctpool.svg";

/// How long a browser may keep an asset: long enough for a session, short enough for an update.
pub(in crate::http) const CACHING: &str = "public, max-age=3600";

/// Every asset.
pub(in crate::http) static ASSETS: &[Asset] = &[
    Asset {
        path: STYLE,
        media_type: "text/css; charset=utf-8",
        content: include_str!("acctpool.css"),
    },
    Asset {
        path: ICON,
        media_type: "image/svg+xml",
        content: include_str!("acctpool.svg"),
    },
];

/// A file of the page.
pub(in crate::http) struct Asset {
    /// Where it is served.
    pub(in crate::http) path: &'static str,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    /// Answers with the asset.
    pub(in crate::http) fn serve(&self) -> Ready<HttpResponse> {
        ready(
            HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, self.media_type))
                .insert_header((CACHE_CONTROL, CACHING))
                // An SVG that is opened by itself is a page, too.
                .insert_header((CONTENT_SECURITY_POLICY, super::SECURITY_POLICY))
                .body(self.content),
        )
    }
}
