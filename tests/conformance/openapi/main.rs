//! The requests of our own adapters, against a vendor's OpenAPI document: `openapi vercel FILE`, `openapi deno FILE`.
//!
//! The documents are the vendors', and are not in this repository; `cargo xtask conformance --openapi DIR` runs this on those
//! in a folder. The real adapter is driven through every call that its source has, against the simulator of its vendor; then
//! each request in the simulator's ledger is held against the document:
//!
//! - it asks for a method and a path that the document has, with a query and headers that fit their schemas;
//! - its body fits its schema, and has no field that the schema does not name, also where the schema would let any pass;
//! - what the document is known not to have is listed, with reasons, in [`exceptions`]. One that was not needed is a failure,
//!   as is a call of the adapter's that was not made.
//!
//! A validator that is dead finds no fault either, so at the end requests are broken on purpose, and it has to find each.
//!
//! One line a claim, `ok …` or `FAILED …`; exits with 1 where one failed.

#![expect(clippy::print_stdout, reason = "its claims are what it is run for")]

mod adapter;
mod broken;
mod document;
mod drive;
mod exceptions;
mod request;
mod schema;

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use anyhow::{Result, bail};
use foreshow_simulators::core::Call;

use adapter::Adapter;
use document::Document;
use request::Checker;

/// How many faults of one operation are told: they are mostly the same.
const TOLD: usize = 5;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (adapter, calls, file) = match &*arguments {
        [vendor, file] if vendor == "vercel" => (&adapter::VERCEL, drive::vercel().await, file),
        [vendor, file] if vendor == "deno" => (&adapter::DENO, drive::deno().await, file),
        _ => bail!("usage: openapi vercel|deno FILE, where FILE is the vendor's OpenAPI document"),
    };
    let document = Document::read(Path::new(file))?;
    let mut claims = Claims::default();
    claims.check(adapter, &document, &calls);
    Ok(claims.exit_code())
}

/// What was claimed so far.
#[derive(Default)]
struct Claims {
    has_failed: bool,
}

impl Claims {
    /// `faults` are what speaks against it.
    fn tell(&mut self, claim: &str, faults: &[String]) {
        if faults.is_empty() {
            println!("ok {claim}");
            return;
        }
        self.has_failed = true;
        println!("FAILED {claim}");
        for fault in faults.iter().take(TOLD) {
            println!("    {fault}");
        }
        if faults.len() > TOLD {
            println!("    and {} more", faults.len() - TOLD);
        }
    }

    fn check(&mut self, adapter: &Adapter, document: &Document, calls: &[Call]) {
        let (made, missing) = adapter.compare(calls);
        let claim = format!("each of the adapter's {made} calls was made");
        self.tell(&claim, &missing);

        let mut checker = Checker::new(document, adapter.exceptions);
        let mut by_operation: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
        for call in calls {
            let (operation, faults) = checker.check(call);
            let (count, all) = by_operation.entry(operation).or_default();
            *count += 1;
            all.extend(faults);
        }
        for (operation, (count, faults)) in by_operation {
            let requests = if count == 1 { "request" } else { "requests" };
            self.tell(&format!("{operation}: {count} {requests}"), &faults);
        }
        for (exception, is_needed) in checker.exceptions() {
            let stale =
                (!is_needed).then(|| "nothing needs it: remove it from the list".to_owned());
            self.tell(&format!("excepted: {exception}"), stale.as_slice());
        }

        for (what, call) in broken::requests(adapter, calls) {
            let (_, faults) = Checker::new(document, adapter.exceptions).check(&call);
            let unseen = faults
                .is_empty()
                .then(|| "it was taken for a good one".to_owned());
            self.tell(
                &format!("a request is refused that {what}"),
                unseen.as_slice(),
            );
        }
    }

    fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::from(self.has_failed))
    }
}
