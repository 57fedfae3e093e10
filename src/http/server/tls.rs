//! TLS of the connections that come in: a handshake within a deadline, with the certificate of the
//! moment.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use actix_http::Protocol;
use actix_web::rt::net::TcpStream;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::GOODBYE;
use crate::http::Settings;

/// The protocols that are offered, the preferred one first (RFC 7301).
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// What a client hears that speaks plain HTTP.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain\r\ncontent-length: 24\r\nconnection: close\r\n\r\n\
    this port speaks https.\n";

/// How TLS is spoken on one port. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    /// How long a handshake may take.
    within: Duration,
}

impl Tls {
    /// Returns how TLS is spoken by these settings, or `None` where clear text is. Each handshake uses
    /// the certificate that the settings hold then.
    pub(super) fn of(settings: &Arc<ArcSwap<Settings>>) -> Option<Self> {
        let present = settings.load();
        present.certificate.as_ref()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider speaks the versions that it was built with")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Present(Arc::clone(settings))));
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Some(Self {
            acceptor: Arc::new(config).into(),
            within: present.client_timeout,
        })
    }

    /// Shakes hands with a client and agrees on a protocol, or closes the connection: on whoever takes
    /// too long, too.
    pub(super) async fn accept(
        &self,
        socket: TcpStream,
    ) -> io::Result<(Box<TlsStream<TcpStream>>, Protocol)> {
        let handshake = timeout(self.within, self.shake_hands(socket));
        let stream = handshake
            .await
            .unwrap_or_else(|_| Err(io::Error::new(ErrorKind::TimedOut, "it takes too long")))?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(HTTP_2) => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((Box::new(stream), protocol))
    }

    async fn shake_hands(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        if speaks_plain_http(&socket).await? {
            // It may be gone by now.
            let _ = timeout(GOODBYE, turn_away(socket)).await;
            return Err(io::Error::new(ErrorKind::InvalidData, "it speaks no TLS"));
        }
        // A client acknowledges late, and what follows the handshake would wait for that.
        socket.set_nodelay(true)?;
        self.acceptor.accept(socket).await
    }
}

/// Tells whether the first byte is the beginning of a method. A TLS record begins with a number below
/// 32 (RFC 8446, B.1).
async fn speaks_plain_http(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let read = socket.peek(&mut first).await?;
    Ok(read == 1 && first[0].is_ascii_uppercase())
}

async fn turn_away(mut socket: TcpStream) -> io::Result<()> {
    socket.write_all(SPEAK_TLS).await?;
    socket.shutdown().await?;
    // Closed with something unread, the connection would be reset, and the answer lost.
    let mut unread = [0; 1024];
    while socket.read(&mut unread).await? > 0 {}
    Ok(())
}

/// The certificate of the moment.
#[derive(Debug)]
struct Present(Arc<ArcSwap<Settings>>);

impl ResolvesServerCert for Present {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let settings = self.0.load();
        let certificate = settings.certificate.as_ref()?;
        Some(Arc::clone(certificate.pair()))
    }
}
