//! A certificate authority of one's own, the certificates that it makes, and who trusts it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::bench::write_private;

/// What TLS is spoken with.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate for 127.0.0.1, and its key.
pub(crate) struct Pair {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Its certificates name it, so no two are alike.
        let key = KeyPair::generate().unwrap();
        let name = format!("authority {:?}", key.public_key_raw());
        params
            .distinguished_name
            .push(DnType::CommonName, &name[..60]);
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Makes a certificate that is valid until a year begins.
    pub(crate) fn pair(&self, until: i32) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate, key }
    }

    /// Writes whom to trust, and returns where.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, self.0.pem()).unwrap();
        path
    }

    /// Returns how somebody speaks TLS who trusts it alone.
    pub(crate) fn trusted(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        config.alpn_protocols = protocols.collect();
        Arc::new(config)
    }

    /// Shakes hands with a server that it vouches for.
    pub(crate) fn connect(&self, server: SocketAddr, protocol: &str) -> TlsStream {
        let socket = TcpStream::connect(server).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let name = server.ip().into();
        let mut client = ClientConnection::new(self.trusted(&[protocol]), name).unwrap();
        let mut socket = socket;
        while client.is_handshaking() {
            client.complete_io(&mut socket).unwrap();
        }
        assert_eq!(client.alpn_protocol(), Some(protocol.as_bytes()));
        StreamOwned::new(client, socket)
    }

    /// Shakes hands, and returns the certificate that the server shows.
    pub(crate) fn shown(&self, server: SocketAddr) -> CertificateDer<'static> {
        let stream = self.connect(server, "http/1.1");
        stream.conn.peer_certificates().unwrap()[0].clone()
    }
}

impl Pair {
    /// Puts the pair in the place of the one before: each file by a rename.
    pub(crate) fn write(&self, directory: &Path) {
        self.write_certificate(directory);
        let new = directory.join("server.key.new");
        write_private(&new, &self.key.serialize_pem());
        fs::rename(new, directory.join("server.key")).unwrap();
    }

    pub(crate) fn write_certificate(&self, directory: &Path) {
        let new = directory.join("server.pem.new");
        fs::write(&new, self.certificate.pem()).unwrap();
        fs::rename(new, directory.join("server.pem")).unwrap();
    }
}
