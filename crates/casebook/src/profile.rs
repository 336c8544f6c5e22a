//! Profiles of recordings on the command line and in the configuration.

use recorder::Profile;

/// Reads the name of a profile.
pub(crate) fn parse(text: &str) -> Result<Profile, String> {
    let names = Profile::ALL.map(Profile::name).join(", ");
    Profile::named(text).ok_or_else(|| format!("`{text}` is not a profile: expected {names}"))
}
