//! Who there is when the simulator starts.

/// Who there is when the simulator starts.
#[derive(Clone, Debug)]
pub struct VercelOptions {
    /// The tokens that are accepted. Each may act for the user and for every team.
    pub tokens: Vec<String>,
    /// The user whose tokens they are: the scope of calls that name no team.
    pub user: Account,
    /// The teams.
    pub teams: Vec<Account>,
}

/// A user or a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id: `team_…` for teams.
    pub id: String,
    /// Its name in URLs.
    pub slug: String,
}

impl Account {
    /// A user or a team.
    pub fn new(id: &str, slug: &str) -> Self {
        Self {
            id: id.to_owned(),
            slug: slug.to_owned(),
        }
    }
}

impl Default for VercelOptions {
    /// The token `simulator-token` (and `simulatortoken`: Vercel's own tool takes no hyphens), the user `simulator`, and the team `team_simulator` whose slug is `acme`.
    fn default() -> Self {
        Self {
            tokens: ["simulator-token", "simulatortoken"]
                .map(str::to_owned)
                .into(),
            user: Account::new("usr_simulator", "simulator"),
            teams: vec![Account::new("team_simulator", "acme")],
        }
    }
}
