//! Names of methods as the runtime writes them into its map of code, in the parts that a frame has.
//!
//! ```text
//!  instance void [System.Net.Sockets] System.Net.Sockets.SocketAsyncEngine::EventLoop()[OptimizedTier1]
//!  └─ returned ┘ └──── module ──────┘ └──────────── type ────────────────┘  └ method ┘  └── tier ────┘
//! ```

/// A method's name in parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Managed<'a> {
    pub(crate) module: &'a str,
    pub(crate) declaring_type: &'a str,
    pub(crate) method: &'a str,
    /// What it takes, in parentheses.
    pub(crate) signature: &'a str,
    pub(crate) tier: Option<&'a str>,
}

/// Takes a name apart; `None` for one that is not a method's.
pub(crate) fn managed(name: &str) -> Option<Managed<'_>> {
    let name = name.trim();
    // The types that are returned and taken may have modules as well, in the same brackets but without a blank behind.
    let (module, rest) = name.match_indices("] ").find_map(|(at, close)| {
        let (returned, module) = name.get(..at)?.rsplit_once('[')?;
        let rest = name.get(at.saturating_add(close.len())..)?;
        (returned.ends_with(' ') && !module.is_empty()).then_some((module, rest))
    })?;
    let (method, tier) = match rest.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        Some((method, tier)) if !tier.is_empty() && method.ends_with(')') => (method, Some(tier)),
        _ => (rest, None),
    };
    let (path, _) = method.split_once('(')?;
    let signature = method.get(path.len()..)?;
    let (declaring_type, own) = path.rsplit_once("::")?;
    if declaring_type.is_empty() || own.is_empty() || !signature.ends_with(')') {
        return None;
    }
    // Code from a file that was compiled ahead of time has another name in the runtime's events.
    let tier = tier.map(|tier| if tier == "PreJIT" { "ReadyToRun" } else { tier });
    Some(Managed { module, declaring_type: declaring_type.trim_start(), method: own, signature, tier })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<[&str; 5]>) {
        let found = managed(name);
        let found =
            found.map(|of| [of.module, of.declaring_type, of.method, of.signature, of.tier.unwrap_or("")]);
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn methods_are_known_by_their_module_in_brackets() {
        check(
            "void [orders] Orders.Work::Hot(int32)[OptimizedTier1]",
            Some(["orders", "Orders.Work", "Hot", "(int32)", "OptimizedTier1"]),
        );
        check(
            "void [orders] Orders.Program::Main(class System.String[])[QuickJitted]",
            Some(["orders", "Orders.Program", "Main", "(class System.String[])", "QuickJitted"]),
        );
        check(
            "bool [System.Private.CoreLib] System.Threading.PortableThreadPool+WorkerThread::WorkerThreadStart()[PreJIT]",
            Some([
                "System.Private.CoreLib",
                "System.Threading.PortableThreadPool+WorkerThread",
                "WorkerThreadStart",
                "()",
                "ReadyToRun",
            ]),
        );
        check(
            "valuetype [System.Net.Primitives]System.Net.Sockets.SocketError [System.Net.Sockets] \
             System.Net.Sockets.SocketPal::Shutdown(class System.Net.Sockets.SafeSocketHandle,bool)[QuickJitted]",
            Some([
                "System.Net.Sockets",
                "System.Net.Sockets.SocketPal",
                "Shutdown",
                "(class System.Net.Sockets.SafeSocketHandle,bool)",
                "QuickJitted",
            ]),
        );
        check(
            "instance !!0 [a] N.List`1[System.__Canon]::Get[System.__Canon](class [System.Runtime]System.Type[])",
            Some([
                "a",
                "N.List`1[System.__Canon]",
                "Get[System.__Canon]",
                "(class [System.Runtime]System.Type[])",
                "",
            ]),
        );
        check("class System.String[] [a] A::B()[Tier0]", Some(["a", "A", "B", "()", "Tier0"]));
        check("void [a] Program::<Main>$()[Tier0]", Some(["a", "Program", "<Main>$", "()", "Tier0"]));
        check("instance void [a] A.B::.ctor()[Tier0]", Some(["a", "A.B", ".ctor", "()", "Tier0"]));
    }

    #[test]
    fn what_is_not_a_method_s_name_stays_as_it_is() {
        for name in [
            "",
            "JIT_New",
            "SVR::gc_heap::mark_object(unsigned char*)",
            "void System.Threading.ThreadPoolWorkQueue::Dispatch()",
            "std::vector<int, a[4]> f(int)",
            "stub GenerateLookupStub<0>",
            "void [] A::B()",
            "[a] ::()",
            "operator new[] (unsigned long)",
        ] {
            check(name, None);
        }
    }
}
