//! The definitions that are shipped say what the topology says.

use std::{fs, path::PathBuf};

use foreshow_broker::rabbitmq::{RabbitMqOptions, Topology};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ops/rabbitmq/definitions.json")
}

/// What the file should hold: the defaults' topology and users.
fn expected() -> serde_json::Value {
    let defaults = RabbitMqOptions::new(Vec::new());
    Topology::new(&defaults.prefix, defaults.octaves).definitions(&defaults.prefix)
}

/// To write the file anew after a change: `FORESHOW_BLESS=1 cargo test -p foreshow-broker definitions`.
#[test]
fn the_file_holds_what_the_topology_says() {
    let text = serde_json::to_string_pretty(&expected()).unwrap() + "\n";
    if std::env::var_os("FORESHOW_BLESS").is_some() {
        fs::write(file(), &text).unwrap();
    }
    assert!(
        fs::read_to_string(file()).unwrap() == text,
        "ops/rabbitmq/definitions.json is not what the topology says; write it with FORESHOW_BLESS=1 cargo test -p \
         foreshow-broker definitions"
    );
}

#[test]
fn no_user_has_a_password() {
    for user in expected()["users"].as_array().unwrap() {
        assert_eq!(user["password_hash"], "", "{user}");
        assert!(user.get("password").is_none(), "{user}");
    }
}
