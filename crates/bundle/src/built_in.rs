//! What is left out without anybody saying so.

/// Version control's data and our own: histories, queues and keys, of no use to a site. Nothing takes these back, for a
/// `.gitignore` of the kind "everything but" (`*`, `!*/`, `!*.html`) would, and git itself never looks there either.
pub(crate) const NEVER: &[&str] = &[".git", ".hg", ".svn", ".jj", ".foreshow/"];

/// Left out unless an ignore file says otherwise (`!node_modules/`). Three kinds: secrets, what is installed or
/// built anew at the receiver, and what editors and systems leave lying about. Build output (`dist/`, `build/`) isn't
/// among them: it is often what is to be published.
pub(crate) const DEFAULTS: &[&str] = &[
    // Secrets. A context's environment goes into the event's `env`, not into a published file.
    ".env",
    ".env.*",
    "!.env.example",
    "!.env.sample",
    "!.env.template",
    ".envrc",
    ".dev.vars",
    ".netrc",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    ".ssh/",
    ".aws/",
    ".gnupg/",
    ".kube/",
    ".docker/",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.kdbx",
    // Installed or built.
    "node_modules/",
    "bower_components/",
    ".next/",
    ".cache/",
    ".vercel/",
    ".netlify/",
    ".wrangler/",
    "__pycache__/",
    "*.py[co]",
    ".venv/",
    ".pytest_cache/",
    ".mypy_cache/",
    // Lying about.
    ".DS_Store",
    "._*",
    "Thumbs.db",
    "desktop.ini",
    ".*.sw[a-p]",
    "npm-debug.log*",
    "yarn-error.log*",
];
