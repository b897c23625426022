//! HTTP clients with TLS that is set up in one place.
//!
//! reqwest is built without cryptography of its own, for its default costs a minute of C in a clean build. A client that is
//! made with plain `reqwest::Client::builder()` would then look for cryptography that the process has installed, and panic
//! where it finds none; and it would read the system's certificates, which a small container does not have. So every client
//! begins with one of these two:
//!
//! - [`public`] speaks to the world: ring, the roots of Mozilla that travel with the binary, and a file of one's own.
//! - [`inward`] speaks plain HTTP to this machine or this installation's network: it trusts no certificate, and uses no proxy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::{Client, ClientBuilder};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

/// The certificates to trust could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read, or is no PEM.
    #[error("the certificates in {} can't be read: give a file of certificates in PEM (ca_file)", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What lies beneath.
        #[source]
        source: pem::Error,
    },
    /// A certificate in it is none.
    #[error("a certificate in {} is not valid: give a file of certificates in PEM (ca_file)", file.display())]
    Certificate {
        /// Which file.
        file: PathBuf,
        /// What lies beneath.
        #[source]
        source: rustls::Error,
    },
    /// There is nothing in it.
    #[error("there is no certificate in {}: give a file of certificates in PEM (ca_file)", file.display())]
    Empty {
        /// Which file.
        file: PathBuf,
    },
}

/// A client for servers anywhere. It trusts Mozilla's roots and, beside them, the certificates in `ca_file` (PEM).
///
/// # Errors
/// [`TlsError`] where `ca_file` is not what it should be.
pub fn public(ca_file: Option<&Path>) -> Result<ClientBuilder, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    if let Some(file) = ca_file {
        add_from(&mut roots, file)?;
    }
    Ok(Client::builder().tls_backend_preconfigured(trusting(roots)))
}

/// A client for plain HTTP within this machine or this installation.
pub fn inward() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(trusting(RootCertStore::empty()))
}

fn trusting(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for every version")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn add_from(roots: &mut RootCertStore, file: &Path) -> Result<(), TlsError> {
    let unreadable = |source| TlsError::File {
        file: file.to_owned(),
        source,
    };
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots
            .add(certificate)
            .map_err(|source| TlsError::Certificate {
                file: file.to_owned(),
                source,
            })?;
    }
    if roots.len() == before {
        return Err(TlsError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn both_kinds_of_client_are_made_without_installing_anything() {
        public(None).unwrap().build().unwrap();
        inward().build().unwrap();
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    }

    #[test]
    fn a_file_of_certificates_is_read_and_what_is_wrong_with_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let told = |text: &str| {
            std::fs::write(&file, text).unwrap();
            public(Some(&file)).map(drop)
        };
        assert!(matches!(told(""), Err(TlsError::Empty { .. })));
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            told(no_certificate),
            Err(TlsError::Certificate { .. })
        ));
        let der = &webpki_root_certs::TLS_SERVER_ROOT_CERTS[0];
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in data_encoding::BASE64.encode(der).as_bytes().chunks(64) {
            writeln!(pem, "{}", str::from_utf8(line).unwrap()).unwrap();
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        told(&pem).unwrap();
        let missing = folder.path().join("none.pem");
        assert!(matches!(public(Some(&missing)), Err(TlsError::File { .. })));
    }
}
