//! TLS goes by the name in the URL, whatever address it leads to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use foreshow_egress::{Egress, EgressError, EgressOptions};
use reqwest::Method;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::answers::Answers;
use crate::server::allowing;
use crate::trap::soon;

const NAME: &str = "bundles.example";

/// An authority, and a certificate of its for bundles.example, in this folder.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .output()
            .expect("the program openssl is needed: apt-get install openssl");
        assert!(
            output.status.success(),
            "openssl {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ours -addext keyUsage=critical,keyCertSign"
    ));
    openssl(&format!(
        "req {key} -keyout server.key -out server.csr -subj /CN={NAME}"
    ));
    std::fs::write(folder.join("names"), format!("subjectAltName=DNS:{NAME}\n")).unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

/// What one visitor told a server: the name it asked the certificate of, and its request, where it came to that.
type Told = (Option<String>, Vec<String>);

struct Server {
    port: u16,
    folder: tempfile::TempDir,
    told: JoinHandle<Told>,
}

impl Server {
    /// Serves one connection.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let chain = CertificateDer::pem_file_iter(folder.path().join("server.pem"))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let key = PrivateKeyDer::from_pem_file(folder.path().join("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, socket));
            let mut request = Vec::new();
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                request.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            let asked = stream.get_ref().conn.server_name().map(str::to_owned);
            if !request.is_empty() {
                stream
                    .get_mut()
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .unwrap();
            }
            (asked, request)
        });
        Self { port, folder, told }
    }

    /// One visitor, who trusts this server's authority or does not. The answer's status, and what the server was told.
    async fn visit(self, name: &str, trusting: bool) -> (Result<u16, reqwest::Error>, Told) {
        let options = EgressOptions {
            ca_file: trusting.then(|| self.folder.path().join("ca.pem")),
            ..allowing(self.port, &["127.0.0.1/32"])
        };
        let answers = Answers::of(name, &["127.0.0.1"]);
        let egress = Egress::with_resolver(&options, answers).unwrap();
        let target = egress
            .check(&format!("https://{name}:{}/a", self.port))
            .unwrap();
        let sent = soon(egress.request(Method::GET, &target).send()).await;
        let status = sent.map(|response| response.status().as_u16());
        drop(egress);
        let told = soon(tokio::task::spawn_blocking(|| self.told.join().unwrap())).await;
        (status, told.unwrap())
    }
}

#[tokio::test]
async fn server_name_and_host_are_the_urls() {
    let server = Server::start();
    let port = server.port;
    let (status, (asked, request)) = server.visit(NAME, true).await;
    assert_eq!(status.unwrap(), 200);
    assert_eq!(asked.as_deref(), Some(NAME));
    assert_eq!(request[0], "GET /a HTTP/1.1");
    assert!(
        request.contains(&format!("host: {NAME}:{port}")),
        "{request:?}"
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_taken() {
    let (status, (_, request)) = Server::start().visit("other.example", true).await;
    assert!(Egress::refusal(&status.unwrap_err()).is_none());
    assert!(request.is_empty(), "it was asked: {request:?}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_taken() {
    let (status, (_, request)) = Server::start().visit(NAME, false).await;
    assert!(Egress::refusal(&status.unwrap_err()).is_none());
    assert!(request.is_empty(), "it was asked: {request:?}");
}

#[test]
fn a_file_of_certificates_that_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = EgressOptions {
        ca_file: Some(folder.path().join("missing.pem")),
        ..EgressOptions::default()
    };
    let error = Egress::try_new(&options).unwrap_err();
    assert!(matches!(error, EgressError::Tls(_)));
    assert_eq!(error.to_string(), "egress.ca_file can't be used");
}
