use std::time::Duration;

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    /// Where it is none.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

/// Asks a preview's URL. Names under `localhost` are asked at the loopback address, as browsers do, by their Host header.
///
/// # Panics
/// Where nobody answers.
pub async fn fetch(url: &str) -> Answer {
    fetch_with(url, &[]).await
}

/// Like [`fetch`], with headers.
///
/// # Panics
/// Where nobody answers.
pub async fn fetch_with(url: &str, headers: &[(&str, &str)]) -> Answer {
    let rest = url
        .strip_prefix("http://")
        .expect("previews of tests are http");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    let client = foreshow_tls::inward()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .expect("the client can be built");
    let mut request = client
        .get(format!("http://127.0.0.1:{port}/{path}"))
        .header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("the gateway answers");
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let body = answer.bytes().await.expect("the body arrives").to_vec();
    Answer {
        status,
        headers,
        body,
    }
}
