//! Settings that matter.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::finding::{Evidence, Measured, Severity};
use crate::rule::{Found, Need, Rule, Threshold};

const UNOPTIMISED: Threshold = Threshold {
    name: "share of the service's own compiled methods that the compiler was told not to optimise",
    value: 0.5,
    unit: "share",
    source: "methods of a Release build have no such mark; those of a Debug build all do",
};

pub(super) const RULE: Rule = Rule {
    id: "startup-config",
    about: "a setting that matters: Debug build, Server/Workstation GC against the cores, tiered compilation off, container limits; \
            `note`, unless its harm is measured in the same capture",
    needs: &[Need::Jit],
    thresholds: &[UNOPTIMISED],
    silent: "where fewer than 20 methods of the service's own were compiled while recording",
    why: "An assembly of a Debug build carries an attribute that tells the JIT not to optimise it: no inlining, every local in memory, \
          and tiered compilation never replaces it (tier MinOptJitted).",
    tries: &["Publish with `-c Release`"],
    verify: "Record again: `jit` has no methods of tier `MinOptJitted`.",
    causes: &[],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let jit = &facts.recording.jit;
    let framework = ["System.", "Microsoft.", "Anonymously Hosted", "Interop"];
    let own = (0..jit.ts_ns.len()).filter_map(|at| jit.row(at)).filter(|row| {
        let name = facts.text(row.method);
        !framework.iter().any(|start| name.starts_with(start)) && !name.contains("dynamicClass")
    });
    let own: Vec<_> = own.collect();
    let unoptimised: Vec<i64> =
        own.iter().filter(|row| facts.text(row.tier) == "MinOptJitted").map(|row| row.ts_ns).collect();
    let share = real_u64(count(unoptimised.len())) / real_u64(count(own.len())).max(1.0);
    if own.len() < 20 || share < UNOPTIMISED.value {
        return None;
    }
    let title = format!(
        "The service runs a Debug build: {} of its own methods are compiled without optimisation",
        percent(share)
    );
    let sql = "select method, tier, il_bytes, native_bytes from jit where tier = 'MinOptJitted' order by ts_ns limit 50";
    let methods = Measured {
        name: "methods of its own compiled",
        value: real_u64(count(own.len())),
        unit: "",
        threshold: None,
    };
    Some(Found {
        title: if own.len() < 100 {
            format!("{title} ({} seen)", said(real_u64(count(own.len()))))
        } else {
            title
        },
        severity: Severity::Note,
        score: 0.2,
        measured: vec![UNOPTIMISED.measured(share), methods],
        places: Vec::new(),
        evidence: vec![Evidence::of("jit", sql, unoptimised.into_iter())],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// So many methods compiled, and so many of them without optimisation.
    fn scene(methods: i64, unoptimised: i64, name: &str) -> Scene {
        let mut scene = Scene::new();
        for at in 0..methods {
            let tier = if at < unoptimised { "MinOptJitted" } else { "QuickJitted" };
            scene.compiles(0, at, 1, name, tier);
        }
        scene
    }

    #[test]
    fn a_debug_build_is_a_note() {
        assert_eq!(scene(30, 30, "Shop.Cart.Total()").says(&RULE), says(Severity::Note, ""));
    }

    #[test]
    fn a_release_build_few_methods_and_the_frameworks_own_say_nothing() {
        let check = |methods, unoptimised, name, speaks| {
            assert_eq!(
                scene(methods, unoptimised, name).says(&RULE).is_some(),
                speaks,
                "{name} {unoptimised}"
            );
        };
        check(30, 14, "Shop.Cart.Total()", false);
        check(30, 15, "Shop.Cart.Total()", true);
        check(19, 19, "Shop.Cart.Total()", false);
        check(30, 30, "System.Linq.Enumerable.Sum()", false);
    }
}
