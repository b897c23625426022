//! `dead-letters`: what was given up, for whoever is called at night: to look at it, to try it again, or to be rid of it.
//!
//! Each command is one [walk](foreshow_engine::DeadLetters) through the letters, which holds what it has come by: others do not
//! see that until the command ends, and then see what is left. So nothing is lost by looking or by being killed, and two
//! operators at once share what there is.
//!
//! | room | idea |
//! | --- | --- |
//! | `seen` | what a letter is about, as far as it can be read |
//! | `filter` | which letters are meant |
//! | `pass` | one walk, told to stop by Ctrl-C, and patient with a broker that is away for a moment |
//! | `pace` | when the next replay may go, for live traffic comes first |
//! | `counts` | how many, by code and by tenant |
//! | `list`, `show`, `replay`, `discard` | the commands |

mod counts;
mod discard;
mod filter;
mod list;
mod pace;
mod pass;
mod replay;
mod seen;
mod show;

#[cfg(test)]
mod tests;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::{Exit, Failure};

/// What stands below the help of each of them.
const TWO_AT_ONCE: &str = "\
While it runs, other commands do not see the dead letters that it has come by; what it leaves is there again when it ends, or
is killed. So of two commands at once each sees what the other does not hold.";

/// Look at what was given up, try it again, or drop it.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List dead letters, the oldest first, and count them by code and by tenant
    List(list::List),
    /// Show all of one, without env values, secrets and file contents
    Show(show::Show),
    /// Publish again what was given up, as a new life of its revision
    Replay(replay::Replay),
    /// Drop dead letters for good
    Drop(discard::Discard),
}

impl DeadLetters {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => list.run(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Replay(replay) => replay.run(global).await,
            Self::Drop(discard) => discard.run(global).await,
        }
    }
}
