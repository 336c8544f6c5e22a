//! The first lines about an exhibit.

/// What an exhibit is, as pages and text begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heading {
    /// Its short name: that of its file, without folders.
    pub name: String,
    /// Its file, as the user named it.
    pub file: String,
    /// What is known of the service and its machine, one fact each.
    pub subject: Vec<String>,
    /// The command line of the service, if known.
    pub command: Option<String>,
    /// When it was recorded, how long, and how much of that time was observed.
    pub recorded: String,
    /// What is missing, one sentence each.
    pub losses: Vec<String>,
    /// Whether each of them is below one per cent of what it is a part of, so that no figure changes by it.
    pub are_losses_small: bool,
    /// What is printed instead if nothing is missing.
    pub nothing_lost: &'static str,
}
