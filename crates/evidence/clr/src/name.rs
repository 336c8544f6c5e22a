//! Names of events that describe themselves, as TraceEvent writes them: `Task/Opcode`.

/// TraceEvent's name of an event of an event source.
///
/// `opcode` is the metadata's, `overridden` one that the very event gives instead (version 6).
pub fn display_name(event_name: &str, id: u32, opcode: Option<u8>, overridden: Option<u8>) -> String {
    if event_name.is_empty() {
        return if id == 0 { String::from("EventWriteString") } else { format!("EventID({id})") };
    }
    let ends = |ending: &str| {
        let start = event_name.len().checked_sub(ending.len());
        let tail = start.and_then(|start| event_name.get(start..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
    };
    let own = opcode.or_else(|| if ends("start") { Some(1) } else { ends("stop").then_some(2) });
    let cut = match own {
        Some(1) if ends("start") => 5,
        Some(2) if ends("stop") => 4,
        _ => 0,
    };
    let task = event_name.get(..event_name.len().saturating_sub(cut)).unwrap_or(event_name);
    match (overridden.filter(|code| Some(*code) != own), own) {
        (Some(0), _) | (None, None | Some(0)) => task.to_owned(),
        (Some(code), _) => match opcode_word(code) {
            Some((_, word)) => format!("{task}/{word}"),
            None => format!("{task}/Opcode({code})"),
        },
        (None, Some(code)) => match opcode_word(code) {
            Some((word, _)) => format!("{task}/{word}"),
            None => format!("{task}/{code}"),
        },
    }
}

/// The word of an operation code: where the metadata gives it, and where the event itself does.
fn opcode_word(code: u8) -> Option<(&'static str, &'static str)> {
    Some(match code {
        1 => ("Start", "Start"),
        2 => ("Stop", "Stop"),
        3 => ("DataCollectionStart", "DCStart"),
        4 => ("DataCollectionStop", "DCStop"),
        5 => ("Extension", "Extension"),
        6 => ("Reply", "Reply"),
        7 => ("Resume", "Resume"),
        8 => ("Suspend", "Suspend"),
        9 => ("Transfer", "Send"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_opcode() {
        assert_eq!(display_name("", 200, None, None), "EventID(200)");
        assert_eq!(display_name("RequestStart", 3, None, None), "Request/Start");
        assert_eq!(display_name("FinalizersStart", 3, Some(0), None), "FinalizersStart");
        assert_eq!(display_name("TestEvent3", 7, Some(24), None), "TestEvent3/24");
        assert_eq!(display_name("TestEvent1", 15, None, Some(8)), "TestEvent1/Suspend");
        assert_eq!(display_name("TestEvent1", 15, None, Some(18)), "TestEvent1/Opcode(18)");
        assert_eq!(display_name("Activity1Start", 4, None, None), "Activity1/Start");
        assert_eq!(display_name("", 0, None, None), "EventWriteString");
        assert_eq!(display_name("E", 1, Some(3), None), "E/DataCollectionStart");
        assert_eq!(display_name("E", 1, None, Some(3)), "E/DCStart");
        assert_eq!(display_name("E", 1, Some(240), None), "E/240");
        assert_eq!(display_name("E", 1, Some(24), Some(24)), "E/24");
    }
}
