//! Whether a group is a user's own. Many systems give each user a group of the same name, and let the group write to the
//! user's files: that is not sharing.

use std::fs::File;
use std::io::Read;

/// Bytes that are read of `/etc/passwd` and `/etc/group`. Users behind them count as somebody else.
const MAX_BYTES: u64 = 4 << 20;

/// Whether a group belongs to this user alone: it is their primary group, has their name, and has no other member.
pub(crate) fn is_own_group(uid: u32, gid: u32) -> bool {
    let [passwd, group] = ["/etc/passwd", "/etc/group"].map(text);
    is_own(uid, gid, &passwd, &group)
}

fn text(path: &str) -> String {
    let mut bytes = Vec::new();
    // If the list cannot be read, it counts as empty: no user of it is known.
    drop(File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A line of `/etc/passwd`: `name:password:uid:gid:…`.
struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
}

fn users(passwd: &str) -> impl Iterator<Item = User<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some(User { name, uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    })
}

/// A line of `/etc/group`: `name:password:gid:member,member`.
struct Group<'a> {
    name: &'a str,
    /// Members beside the users whose primary group it is, separated by commas.
    members: &'a str,
}

fn group_of(gid: u32, group: &str) -> Option<Group<'_>> {
    group.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        let members = fields.next().unwrap_or_default();
        (number.parse() == Ok(gid)).then_some(Group { name, members: members.trim() })
    })
}

fn is_own(uid: u32, gid: u32, passwd: &str, group: &str) -> bool {
    let is_of_others = users(passwd).any(|user| user.gid == gid && user.uid != uid);
    let group = group_of(gid, group);
    match users(passwd).find(|user| user.uid == uid) {
        _ if is_of_others => false,
        Some(user) => {
            let is_alone = |members: &str| members.is_empty() || members == user.name;
            user.gid == gid && group.is_some_and(|of| of.name == user.name && is_alone(of.members))
        }
        // A user of a directory service or of a container. By custom their own group has the same number.
        None => uid == gid && group.is_none_or(|of| of.members.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_others_does_not_pass_for_the_users_own() {
        let passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:\nbob:x:1001:100::/:\ncarol:x:1002:1002::/:\n\
                      dan:x:1003:1002::/:\nnobody here\n";
        let group = "root:x:0:\nusers:x:100:\nalice:x:1000:\ncarol:x:1002:\nshared:x:1004:alice\nten:x:10:alice,bob\n";
        let check = |uid, gid, expected| assert_eq!(is_own(uid, gid, passwd, group), expected, "{uid} {gid}");
        check(0, 0, true);
        check(1000, 1000, true);
        check(1000, 0, false);
        check(1000, 10, false);
        // Further users of a directory service may have this primary group.
        check(1001, 100, false);
        check(1000, 1004, false);
        // It is also the primary group of another user.
        check(1002, 1002, false);
        // Users that are not in the list.
        check(2000, 2000, true);
        check(2000, 1000, false);
        check(2000, 100, false);
        assert!(!is_own(1000, 1000, passwd, "alice:x:1000:alice,bob\n"));
        assert!(is_own(1000, 1000, passwd, "alice:x:1000:alice\n"));
        assert!(is_own(1000, 1000, "", ""));
        assert!(!is_own(1000, 0, "", ""));
    }
}
