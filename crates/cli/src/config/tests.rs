use std::ffi::OsString;
use std::fs;

use tempfile::TempDir;

use super::*;

/// A configuration in the making.
struct Given {
    folder: TempDir,
    sources: Sources,
}

fn given() -> Given {
    Given {
        folder: tempfile::tempdir().unwrap(),
        sources: Sources::default(),
    }
}

impl Given {
    fn file(mut self, toml: &str) -> Self {
        let file = self.folder.path().join("foreshow.toml");
        fs::write(&file, toml).unwrap();
        self.sources.file = Some(file);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources
            .environment
            .push((OsString::from(name), OsString::from(value)));
        self
    }

    fn flag(mut self, key: &'static str, flag: &'static str, value: &str) -> Self {
        self.sources.flags.push((key, flag, value.to_owned()));
        self
    }

    fn loaded(&self) -> Loaded {
        self.sources.load().unwrap()
    }

    /// The problems, with the temporary folder's name cut out.
    fn problems(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let problems = self.sources.load().unwrap_err();
        problems
            .iter()
            .map(|problem| {
                format!("{problem} | {}", problem.help.as_deref().unwrap_or("-"))
                    .replace(&folder, "")
            })
            .collect()
    }
}

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn the_defaults_are_sound() {
    let loaded = given().loaded();
    assert_eq!(
        loaded.config.engine(),
        foreshow_engine::EngineOptions::default()
    );
    assert_eq!(loaded.data_dir(), Path::new(".foreshow"));
}

#[test]
fn a_later_layer_beats_an_earlier_one() {
    let file = "[lease]\nttl_ms = 20_000\n[worker]\nconcurrency = 2\nprefetch = 3\n";
    let given = given()
        .file(file)
        .variable("FORESHOW_WORKER__CONCURRENCY", "4")
        .variable("FORESHOW_LISTEN", "127.0.0.1:1")
        .variable("PATH", "ignored")
        .flag("listen", "--listen", "localhost:2");
    let config = given.loaded().config;
    assert_eq!(config.lease.ttl_ms, 20_000);
    assert_eq!(config.worker.engine.prefetch.get(), 3);
    assert_eq!(config.worker.engine.concurrency.get(), 4);
    assert_eq!(config.listen.to_string(), "127.0.0.1:2");
}

#[test]
fn every_kind_of_value_can_come_from_the_environment() {
    let given = given()
        .variable("FORESHOW_LOCAL__FAIL_CONTEXTS", "a, b")
        .variable("FORESHOW_LIMITS__LIVE_PREVIEWS", "5")
        .variable("FORESHOW_LOG__FILTER", "debug")
        .variable("FORESHOW_WORKER__NAME", "7")
        .variable("FORESHOW_CANCEL__STALE_MS", "0")
        .variable("FORESHOW_SWEEP__EVERY_SECONDS", "60")
        .variable("FORESHOW_DATA_DIR", "/tmp/x")
        .variable("FORESHOW_INSTALLATION_KEY", KEY);
    let config = given.loaded().config;
    assert_eq!(config.local.fail_contexts, ["a", "b"]);
    assert_eq!(config.limits.live_previews.unwrap().get(), 5);
    assert_eq!(config.log.filter.as_ref().unwrap().as_str(), "debug");
    assert_eq!(config.worker.name.as_ref().unwrap().to_string(), "7");
    let engine = config.engine();
    assert_eq!(
        (engine.cancel.stale_ms, engine.sweep.every_seconds),
        (0, 60)
    );
    assert_eq!(config.data_dir, Path::new("/tmp/x"));
    assert_eq!(config.installation_key.unwrap().expose(), KEY);
}

#[test]
fn a_problem_in_the_file_names_key_line_and_fix() {
    for (toml, expected) in [
        (
            "\n\nbrokr = 'sqlite:'",
            "foreshow.toml:3: there is no key `brokr` | did you mean `broker`?",
        ),
        (
            "[lease]\nttl_ms = 'soon'",
            "foreshow.toml:2: `lease.ttl_ms` cannot be \"soon\" | write a whole number; the default is 15000",
        ),
        (
            "[worker]\nconcurrency = 0",
            "foreshow.toml:2: `worker.concurrency` cannot be 0 | write a whole number; the default is 32",
        ),
        (
            "[worker]\nname = 'a/b'",
            "foreshow.toml:2: `worker.name` cannot be \"a/b\" | write 1 to 64 letters, digits, dots, underscores and hyphens, or leave it out",
        ),
        (
            "[worker]\nnaem = 'a'",
            "foreshow.toml:2: there is no key `worker.naem` | did you mean `worker.name`?",
        ),
        (
            "[leese]\nttl_ms = 1",
            "foreshow.toml:1: there is no key `leese` | did you mean `lease`?",
        ),
        (
            "lease = 5",
            "foreshow.toml:1: `lease` is a section, not a value | write [lease] and its keys below",
        ),
        (
            "[broker]\nurl = ''",
            "foreshow.toml:1: `broker` is one value, not a section | write broker = …",
        ),
        (
            "broker = ",
            "foreshow.toml:1: this is not TOML | see https://toml.io for its syntax",
        ),
        (
            "data_dir = 2026-11-22",
            "foreshow.toml:1: `data_dir` cannot be a date or a table | -",
        ),
        (
            "listen = '8080'",
            "foreshow.toml:1: `listen` cannot be \"8080\" | write HOST:PORT, HOST an IP address or localhost, e.g. \
             127.0.0.1:8080; port 0 picks one",
        ),
        (
            "[lease]\nrenew_every_ms = 14000",
            "foreshow.toml:2: `lease.renew_every_ms` plus lease.margin_ms must stay below lease.ttl_ms, or every lease is \
             lost before it can be renewed | the default of `lease.renew_every_ms` is 5000",
        ),
    ] {
        assert_eq!(given().file(toml).problems(), [expected], "{toml}");
    }
}

#[test]
fn a_problem_in_the_environment_names_the_variable() {
    for (name, value, expected) in [
        (
            "FORESHOW_LEASE__TLL_MS",
            "5",
            "FORESHOW_LEASE__TLL_MS: there is no key `lease.tll_ms` for this environment variable | did you mean \
             FORESHOW_LEASE__TTL_MS? Else unset it",
        ),
        (
            "FORESHOW_LEASE__TTL_MS",
            "5s",
            "FORESHOW_LEASE__TTL_MS: `lease.ttl_ms` cannot be \"5s\" | write a whole number; the default is 15000",
        ),
        (
            "FORESHOW_CONFIG",
            "/does/not/exist.toml",
            "FORESHOW_CONFIG: the configuration file /does/not/exist.toml does not exist | name a file that exists, or leave \
             FORESHOW_CONFIG out to go without one",
        ),
    ] {
        assert_eq!(given().variable(name, value).problems(), [expected]);
    }
}

#[test]
fn a_number_is_a_text_where_a_text_is_meant() {
    // Levels of logging have numbers too: 3 is `info`.
    let config = given()
        .variable("FORESHOW_LOG__FILTER", "3")
        .loaded()
        .config;
    assert_eq!(config.log.filter.unwrap().as_str(), "3");
}

#[test]
fn a_bad_log_filter_is_found_before_anything_starts() {
    let fix = "write directives such as `info` or `warn,foreshow=debug`, or leave it out";
    let what = "`log.filter` cannot be \"foreshow=loud\"";
    assert_eq!(
        given()
            .variable("FORESHOW_LOG__FILTER", "foreshow=loud")
            .problems(),
        [format!("FORESHOW_LOG__FILTER: {what} | {fix}")]
    );
    assert_eq!(
        given().file("[log]\nfilter = 'foreshow=loud'").problems(),
        [format!("foreshow.toml:2: {what} | {fix}")]
    );
}

#[test]
fn a_secret_is_given_once_in_each_layer() {
    assert_eq!(
        given()
            .variable("FORESHOW_INSTALLATION_KEY", KEY)
            .variable("FORESHOW_INSTALLATION_KEY_FILE", "key")
            .problems(),
        [
            "FORESHOW_INSTALLATION_KEY_FILE: `installation_key` is given by FORESHOW_INSTALLATION_KEY too | keep one of \
          FORESHOW_INSTALLATION_KEY and FORESHOW_INSTALLATION_KEY_FILE"
        ]
    );
    let file = format!("installation_key_file = 'key'\ninstallation_key = '{KEY}'");
    let problems = given().file(&file).problems();
    assert!(
        problems.iter().any(|problem| problem
            .starts_with("foreshow.toml:2: `installation_key` is given by foreshow.toml:1 too")),
        "{problems:?}"
    );
}

#[test]
fn a_secret_in_the_environment_beats_one_in_the_file() {
    let file = format!("installation_key = '{}'", KEY.replace('0', "f"));
    let given = given()
        .file(&file)
        .variable("FORESHOW_INSTALLATION_KEY", KEY);
    assert_eq!(
        given.loaded().config.installation_key.unwrap().expose(),
        KEY
    );
}

#[test]
fn a_problem_with_a_flag_names_the_flag() {
    let problems = given()
        .flag("broker", "--broker", "kafka://guest:s3cret@host")
        .problems();
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    assert!(
        problem.starts_with("--broker: `broker` cannot be used"),
        "{problem}"
    );
    assert!(
        problem.contains("`kafka:`")
            && problem.contains("sqlite:PATH")
            && !problem.contains("s3cret"),
        "{problem}"
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let problems = given()
        .file("a = 1\nb = 2")
        .variable("FORESHOW_C", "3")
        .problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn ends_are_remembered_for_longer_than_events_live() {
    let problems = given()
        .file("[sqlite]\noutcomes_kept_seconds = 60")
        .problems();
    assert!(
        problems[0].starts_with("foreshow.toml:2: `sqlite.outcomes_kept_seconds` must be above"),
        "{problems:?}"
    );
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_shown() {
    let given = given();
    let secret = given.folder.path().join("key");
    fs::write(&secret, format!("{KEY}\n")).unwrap();
    let loaded = given
        .variable("FORESHOW_INSTALLATION_KEY_FILE", secret.to_str().unwrap())
        .loaded();
    assert_eq!(
        loaded.config.installation_key.as_ref().unwrap().expose(),
        KEY
    );
    for shown in [loaded.to_toml(), loaded.to_json().to_string()] {
        assert!(
            !shown.contains(KEY) && shown.contains("[redacted]"),
            "{shown}"
        );
    }
    let debug = format!("{loaded:?}");
    assert!(!debug.contains(KEY) && !debug.contains("sqlite"), "{debug}");
}

#[test]
fn a_bad_secret_is_not_quoted() {
    for bad in ["s3cret", "1234567890"] {
        let given = given().variable("FORESHOW_INSTALLATION_KEY", bad);
        let shown = format!("{:?}", given.sources.load().unwrap_err());
        assert!(
            shown.contains("64 hexadecimal digits") && !shown.contains(bad),
            "{shown}"
        );
    }
    let shown = format!(
        "{:?}",
        given()
            .file("installation_key = 1234567890")
            .sources
            .load()
            .unwrap_err()
    );
    assert!(
        shown.contains("must be a string") && !shown.contains("1234567890"),
        "{shown}"
    );
}

#[test]
fn what_is_shown_tells_where_it_was_given_and_can_be_read_back() {
    let loaded = given()
        .file("[lease]\nttl_ms = 20000")
        .variable("FORESHOW_WORKER__PREFETCH", "64")
        .loaded();
    let shown = loaded.to_toml();
    let line = |start: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("ttl_ms = 20000").ends_with("foreshow.toml:2"),
        "{shown}"
    );
    assert!(
        line("prefetch = 64").ends_with("# FORESHOW_WORKER__PREFETCH"),
        "{shown}"
    );
    assert!(
        line("renew_every_ms = 5000").ends_with("# default"),
        "{shown}"
    );
    let again = given().file(&shown).loaded();
    assert_eq!(again.config.lease.ttl_ms, 20_000);
    assert_eq!(again.config.engine(), loaded.config.engine());
}

#[test]
fn where_requests_may_go_is_read_from_every_layer() {
    let config = given()
        .file("[egress]\nallow = [\"10.20.0.0/16\"]\nports = [443, 8443]\n[bundles]\ncache_bytes = 0\n")
        .variable("FORESHOW_EGRESS__ALLOW", "127.0.0.1/32, fd00::/8")
        .variable("FORESHOW_EGRESS__HTTP", "true")
        .loaded()
        .config;
    let allow: Vec<_> = config
        .egress
        .allow
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(allow, ["127.0.0.1/32", "fd00::/8"]);
    assert_eq!(config.egress.ports, [443, 8443]);
    assert!(config.egress.http);
    assert_eq!(config.bundles.cache_bytes, 0);
    let config = given()
        .variable("FORESHOW_EGRESS__PORTS", "443,8000")
        .loaded()
        .config;
    assert_eq!(config.egress.ports, [443, 8000]);
}

#[test]
fn nonsense_about_bundles_and_requests_names_key_place_and_fix() {
    let told = |name: &str, value: &str| {
        let problems = given().variable(name, value).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(name), "{problems:?}");
        problems[0].clone()
    };
    for (name, value, says) in [
        ("FORESHOW_EGRESS__ALLOW", "10.0.0.1/33", "127.0.0.1/32"),
        ("FORESHOW_EGRESS__PORTS", "443,https", "whole numbers"),
        ("FORESHOW_EGRESS__PORTS", "0", "egress.ports"),
        ("FORESHOW_EGRESS__PORTS", "", "nothing could be reached"),
        (
            "FORESHOW_BUNDLES__FETCH_TIMEOUT_SECONDS",
            "1200",
            "worker.hold_seconds",
        ),
        ("FORESHOW_BUNDLES__STALL_TIMEOUT_MS", "0", "60000"),
        (
            "FORESHOW_BUNDLES__RESUME_MIN_MS",
            "9000",
            "bundles.resume_max_ms",
        ),
    ] {
        let told = told(name, value);
        assert!(told.contains(says), "{told}");
    }
}
