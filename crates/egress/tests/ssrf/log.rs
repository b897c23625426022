//! The log has the address, once. Nobody else has.

use std::io::Write;
use std::sync::{Arc, Mutex};

use foreshow_egress::Egress;
use reqwest::Method;
use tracing::subscriber::DefaultGuard;

use crate::answers::Answers;
use crate::case::options;
use crate::trap::soon;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Everything that this crate logs on this thread.
    fn listen() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter("foreshow_egress=trace")
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_refused_name_is_logged_once_with_its_address_and_told_without() {
    let (log, _listening) = Log::listen();
    let answers = Answers::of("inner.example", &["93.184.216.34", "10.11.12.13"]);
    let egress = Egress::with_resolver(&options(443), answers).unwrap();
    let target = egress
        .check("https://inner.example/secret-path?sig=hunter2")
        .unwrap();
    let error = soon(egress.request(Method::GET, &target).send())
        .await
        .unwrap_err();
    let refused = Egress::refusal(&error).unwrap();
    assert_eq!(
        refused.detail(),
        "inner.example leads to 10.11.12.13, in 10.0.0.0/8 (private use, RFC 1918); egress.allow lets ranges through"
    );

    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("10.11.12.13"),
        "{lines:?}"
    );
    assert!(!lines[0].contains("hunter2") && !lines[0].contains("secret-path"));

    // The whole chain, as somebody might show it.
    let mut told = error.without_url().to_string();
    told.push_str(&refused_chain(&egress, &target).await);
    assert!(
        !told.contains("10.11.12.13") && !told.contains("1918"),
        "{told}"
    );
}

async fn refused_chain(egress: &Egress, target: &foreshow_egress::Target) -> String {
    let error = soon(egress.request(Method::GET, target).send())
        .await
        .unwrap_err();
    let mut chain = String::new();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        chain.push_str(&error.to_string());
        chain.push('\n');
        source = error.source();
    }
    assert!(chain.contains("the address is not allowed"), "{chain}");
    chain
}

#[test]
fn a_refused_literal_is_logged_once_and_a_typing_error_quietly() {
    let (log, _listening) = Log::listen();
    let egress = Egress::try_new(&options(443)).unwrap();
    egress
        .check("https://169.254.169.254/?sig=hunter2")
        .unwrap_err();
    egress
        .check("ftp://user:hunter2@bundles.example/")
        .unwrap_err();
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("169.254.169.254"));
    assert!(lines[1].contains("DEBUG") && lines[1].contains("url_not_allowed"));
    assert!(!lines.concat().contains("hunter2"));
}
