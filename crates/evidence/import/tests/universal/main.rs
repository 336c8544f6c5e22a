//! Recordings of `dotnet-trace collect-linux`: several processes, samples of CPUs, native and managed frames.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test")]

mod writer;

use import::{Error, Options, ProcessChoice, open_bytes, open_process};
use model::{NO_INT, Sampler, StackId, Trace};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use writer::{Who, Writer};

const OPTIONS: Options = Options { payloads: true, threads: 1 };
const KERNEL: u64 = 0xffff_8000_0000_0000;
const MS: u64 = 1_000_000;
const FIXTURE: &str = "../../../fixtures/format/UniversalProcesses.nettrace";

/// What samples are about: process, thread, kind, and their frames from the innermost outwards.
type Sampled = (i64, i64, String, Vec<String>);

fn at(ns: u64, process: u64) -> Who {
    Who { ns, process, thread: process }
}

/// Two services in containers of their own, whose threads have the same numbers and whose code lies at the same
/// addresses; a shell that becomes a service and ends; and what no reader knows.
fn written() -> Vec<u8> {
    let mut of = Writer::new("1000000");
    of.process("ExistingProcess", at(0, 500), 1, "orders");
    of.process("ExistingProcess", at(0, 600), 1, "stock");
    of.process("ExistingProcess", at(0, 700), 0, "sh");
    of.mapping(at(0, 500), 1, [0x1000, 0x2fff], "/memfd:doublemapper (deleted)");
    of.mapping(at(0, 500), 2, [0x5000, 0x5fff], "/usr/lib/libcoreclr.so");
    of.mapping(at(0, 500), 3, [0x6000, 0x6fff], "/app/System.Private.CoreLib.dll");
    of.mapping(at(0, 500), 4, [KERNEL, u64::MAX], "vmlinux");
    of.mapping(at(0, 600), 5, [0x1000, 0x2fff], "/memfd:doublemapper (deleted)");
    of.mapping(at(0, 700), 6, [0x1000, 0x1fff], "/bin/sh");
    of.symbol(at(0, 500), 1, [0x1000, 0x10ff], "void [orders] Orders.Work::Hot(int32)[OptimizedTier1]");
    of.symbol(at(0, 500), 2, [0x5000, 0x50ff], "JIT_New");
    of.symbol(
        at(0, 500),
        3,
        [0x6000, 0x60ff],
        "instance void [System.Private.CoreLib] System.A::B()[PreJIT]",
    );
    of.symbol(at(0, 500), 4, [KERNEL + 0x10, KERNEL + 0x1f], "do_syscall_64");
    // Of a kernel that hides its addresses.
    of.symbol(at(0, 500), 4, [0, u64::MAX], "startup_64");
    of.symbol(at(0, 600), 5, [0x1000, 0x10ff], "void [stock] Stock.Work::Count()[QuickJitted]");
    of.symbol(at(0, 700), 6, [0x1000, 0x10ff], "sh_loop");
    // Its mapping is not there.
    of.symbol(at(0, 600), 99, [0x1000, 0x10ff], "nobody");
    let shared = |ns, process| Who { ns, process, thread: 501 };
    of.value("cpu", shared(MS, 500), 1, &[0x1010, 0x1810]);
    of.value("cpu", shared(MS + 10, 600), 1, &[0x1010, 0x1810]);
    of.value("cpu", shared(2 * MS, 500), 1, &[0x5010, 0x6010, 0x6910]);
    of.value("cpu", shared(3 * MS, 500), 1, &[KERNEL + 0x18, 0x5910, 0x1010]);
    of.value("cpu", shared(3 * MS + 10, 600), 1, &[KERNEL + 0x18, 0x1010]);
    of.value("cswitch", shared(4 * MS, 500), 5 * MS, &[0x1010]);
    of.value("page-fault", shared(4 * MS, 500), 1, &[0x1010]);
    of.value("cpu", at(4 * MS, 700), 1, &[0x1010]);
    // Told after it was seen.
    of.symbol(at(5 * MS, 500), 1, [0x1800, 0x18ff], "void [orders] Orders.Program::Main()[Tier0]");
    of.process("ProcessCreate", at(5 * MS, 700), 0, "dotnet");
    of.mapping(at(5 * MS, 700), 7, [0x1000, 0x1fff], "/usr/bin/dotnet");
    of.symbol(at(5 * MS, 700), 7, [0x1000, 0x10ff], "main");
    of.value("cpu", at(6 * MS, 700), 1, &[0x1010]);
    of.exit(at(7 * MS, 700));
    of.value("cpu", at(8 * MS, 700), 1, &[0x1010]);
    of.raw("ProcessRenamed", at(8 * MS, 700), &[1, 2, 3]);
    of.value("cpu", shared(9 * MS, 500), 3, &[]);
    of.finish()
}

fn read(bytes: &[u8]) -> Arc<Trace> {
    open_bytes(bytes, "test", OPTIONS).unwrap().into_trace().unwrap()
}

/// Reads a file, or one process of it.
fn open(path: &Path, process: ProcessChoice) -> Result<Arc<Trace>, Error> {
    Ok(open_process(path, OPTIONS, process, &mut |_| {})?.into_trace().unwrap())
}

fn frames(of: &Trace, stack: Option<StackId>) -> Vec<String> {
    let name = |frame| of.strings.text(*of.frames.name.get(frame).unwrap()).to_owned();
    of.stacks.frames(stack).map(name).collect()
}

fn samples(of: &Trace) -> Vec<Sampled> {
    let rows = (0..of.samples.ts_ns.len()).map(|at| of.samples.row(at).unwrap());
    let rows = rows.map(|row| {
        let process = of.thread_processes.get(row.thread).copied().unwrap_or(NO_INT);
        assert_eq!(of.strings.text(row.state), "running");
        let kind = of.strings.text(row.kind).to_owned();
        (process, *of.thread_ids.get(row.thread).unwrap(), kind, frames(of, row.stack))
    });
    rows.collect()
}

fn sample(process: i64, thread: i64, kind: &str, frames: &[&str]) -> Sampled {
    (process, thread, kind.to_owned(), frames.iter().map(|&frame| frame.to_owned()).collect())
}

fn damage(of: &Trace) -> Vec<(&str, u64)> {
    of.lost.damage.kinds().iter().map(|kind| (kind.what, kind.count)).collect()
}

/// Process, name, events and samples of each process.
fn processes(of: &Trace) -> Vec<(i64, &str, i64, i64)> {
    let rows = (0..of.processes.process.len()).map(|at| of.processes.row(at).unwrap());
    rows.map(|row| (row.process, of.strings.text(row.name), row.events, row.samples)).collect()
}

#[test]
fn the_fixture_is_what_the_writer_writes() {
    let bytes = written();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(FIXTURE);
    let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("UniversalProcesses.nettrace");
    std::fs::write(&made, &bytes).unwrap();
    let same = std::fs::read(&path).is_ok_and(|known| known == bytes);
    assert!(same, "{} is not what is written now: compare it with {}", path.display(), made.display());
}

#[test]
fn each_address_is_named_by_its_own_process_as_of_its_time() {
    let of = read(&written());
    let hot = "orders!Orders.Work.Hot(int32)";
    assert_eq!(
        samples(&of),
        [
            sample(500, 501, "managed", &[hot, "orders!Orders.Program.Main()"]),
            // The same thread number, the same addresses: another thread, other code.
            sample(600, 501, "managed", &["stock!Stock.Work.Count()", "ManagedModule!?"]),
            sample(
                500,
                501,
                "external",
                &["libcoreclr.so!JIT_New", "System.Private.CoreLib!System.A.B()", "System.Private.CoreLib!?"],
            ),
            sample(500, 501, "external", &["vmlinux!do_syscall_64", "libcoreclr.so!?", hot]),
            sample(600, 501, "external", &["vmlinux!?", "stock!Stock.Work.Count()"]),
            sample(700, 700, "external", &["sh!sh_loop"]),
            sample(700, 700, "external", &["dotnet!main"]),
            // After its end nothing lies there.
            sample(700, 700, "external", &["?"]),
            sample(500, 501, "external", &[]),
        ]
    );
    let column = |name: &str, list: &[model::Sym]| {
        let at = of.frames.name.iter().position(|of_name| of.strings.text(*of_name) == name).unwrap();
        of.strings.get(list[at]).map(str::to_owned)
    };
    let parts = |name: &str| {
        let of = &of.frames;
        [&of.module, &of.declaring_type, &of.method, &of.signature, &of.tier].map(|list| column(name, list))
    };
    let some = |text: &str| Some(text.to_owned());
    let managed = ["orders", "Orders.Work", "Hot", "(int32)", "OptimizedTier1"].map(some);
    assert_eq!(parts(hot), managed);
    let (module, tier) = (some("System.Private.CoreLib"), some("ReadyToRun"));
    let precompiled = [module, some("System.A"), some("B"), some("()"), tier];
    assert_eq!(parts("System.Private.CoreLib!System.A.B()"), precompiled);
    let native = [some("libcoreclr.so"), None, some("JIT_New"), None, some("Native")];
    assert_eq!(parts("libcoreclr.so!JIT_New"), native);
    let kernel = [some("vmlinux"), None, some("do_syscall_64"), None, some("Kernel")];
    assert_eq!(parts("vmlinux!do_syscall_64"), kernel);
    assert_eq!(parts("libcoreclr.so!?")[2], None);
    assert_eq!((of.missing.frames, of.missing.unnamed_frames), (15, 5));
}

#[test]
fn a_thread_that_was_switched_out_is_no_sample_and_what_cannot_be_used_is_counted() {
    let of = read(&written());
    let count = |name: &str| {
        let kind = of.events.kind_name.find(|of_name| of.strings.text(*of_name) == name).unwrap();
        of.events.kind.iter().filter(|known| **known == kind).count()
    };
    assert_eq!(["cpu", "cswitch", "page-fault"].map(count), [9, 1, 1]);
    assert_eq!(of.samples.ts_ns.len(), 9);
    assert_eq!(
        damage(&of),
        [
            ("CPU sample that stands for another number than one: counted as one", 1),
            ("symbol outside of its mapping: not used", 1),
            ("symbol of a mapping that the recording does not have: not used", 1),
        ]
    );
    let json = |row: usize| {
        let fields = model::ComputedColumn::text(&of.events, row).unwrap();
        serde_json::from_str::<serde_json::Value>(&fields).unwrap()
    };
    assert_eq!(json(0), serde_json::json!({"NamespaceId": 1, "Name": "orders", "NamespaceName": "Unknown"}));
    assert_eq!(json(3)["FileName"], "/memfd:doublemapper (deleted)");
    assert!(!of.missing.no_rundown, "names come with the mappings");
}

#[test]
fn the_processes_are_listed_and_each_thread_is_of_one() {
    let of = read(&written());
    let all = [(500, "orders", 17, 4), (600, "stock", 6, 2), (700, "dotnet", 11, 3)];
    assert_eq!(processes(&of), all);
    assert_eq!(of.processes.own_id, [1, 1, NO_INT]);
    let threads = of.threads.thread.iter().zip(&of.threads.process).zip(&of.threads.samples);
    let threads: Vec<_> = threads.map(|((thread, process), samples)| (*thread, *process, *samples)).collect();
    assert_eq!(threads, [(501, 500, 4), (501, 600, 2), (700, 700, 3)]);
    assert_eq!((of.exhibit.pid, of.exhibit.name.as_deref()), (None, None));
}

#[test]
fn one_process_is_chosen_by_its_samples_or_its_number_and_nothing_of_the_others_is_left() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(FIXTURE);
    let all = open(&path, ProcessChoice::All).unwrap();
    let most = open(&path, ProcessChoice::MostSampled).unwrap();
    assert_eq!((most.exhibit.pid, most.exhibit.name.as_deref()), (Some(500), Some("orders")));
    for (of, process) in [(most, 500), (open(&path, ProcessChoice::Only(600)).unwrap(), 600)] {
        let expected: Vec<_> = samples(&all).into_iter().filter(|row| row.0 == process).collect();
        assert_eq!(samples(&of), expected);
        assert!(of.threads.process.iter().all(|known| *known == process));
        let mut events = of.events.thread.iter().map(|thread| *of.thread_processes.get(*thread).unwrap());
        assert!(events.all(|known| known == process));
        assert_eq!(processes(&of), processes(&all), "the others are listed nevertheless");
        assert_eq!(of.observed_ns("samples"), all.observed_ns("samples"));
    }
    let refused = open(&path, ProcessChoice::Only(501)).unwrap_err().to_string();
    let held = "has no process 501, only 500 (orders), 700 (dotnet), 600 (stock)";
    assert!(refused.ends_with(held), "{refused}");
}

#[test]
fn a_file_of_one_process_has_no_column_of_processes_and_is_chosen_by_its_number() {
    let mut of = Writer::of_process(42);
    of.value("cpu", at(MS, 42), 1, &[0x10]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nettrace");
    std::fs::write(&path, of.finish()).unwrap();
    for process in [ProcessChoice::All, ProcessChoice::MostSampled, ProcessChoice::Only(42)] {
        let of = open(&path, process).unwrap();
        assert_eq!((of.exhibit.pid, &*of.thread_processes), (Some(42), [].as_slice()), "{process:?}");
        assert_eq!(processes(&of), [(42, "", 1, 1)]);
    }
    let refused = open(&path, ProcessChoice::Only(7)).unwrap_err().to_string();
    assert!(refused.ends_with("has no process 7, only 42"), "{refused}");
}

#[test]
fn recordings_of_different_processes_in_a_loose_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, process) in [("a.nettrace", 1), ("b.nettrace", 2), ("c.nettrace", 1)] {
        let mut of = Writer::of_process(process);
        of.value("cpu", at(MS * process, process), 1, &[0x10]);
        std::fs::write(folder.path().join(name), of.finish()).unwrap();
    }
    for process in [ProcessChoice::All, ProcessChoice::MostSampled] {
        let refused = open(folder.path(), process).unwrap_err().to_string();
        assert!(
            refused.ends_with(
                "holds recordings of different processes: 1 in a.nettrace, 2 in b.nettrace: name one of the files, \
                 or choose a process with --pid"
            ),
            "{refused}"
        );
    }
    let chosen = open(folder.path(), ProcessChoice::Only(2)).unwrap();
    assert_eq!((chosen.exhibit.pid, chosen.samples.ts_ns.len()), (Some(2), 1));
    // `exhibit.toml` says that they belong together.
    std::fs::write(folder.path().join("exhibit.toml"), "kind = \"nettrace\"\n").unwrap();
    let together = open(folder.path(), ProcessChoice::All).unwrap();
    assert_eq!(together.processes.process, [1, 2]);
}

#[test]
fn the_time_that_a_sample_stands_for_is_taken_only_if_it_can_be() {
    let check = |rate, every_ns| {
        let mut of = Writer::new(rate);
        (0..40).for_each(|n| of.value("cpu", at(n * MS, 5), 1, &[0x10]));
        let of = read(&of.finish());
        assert_eq!(of.session.sampler, Sampler::Cpus { every_ns }, "{rate}");
    };
    check("1000000", Some(1_000_000));
    check("999000", Some(999_000));
    // Samples per second.
    check("1000", Some(1_000_000));
    // A thread cannot have run for ten times the time that passed.
    check("10000000", None);
    check("100", None);
    check("0", None);
    check("x", None);
    check("4000000000", None);
}

#[test]
fn any_number_of_mappings_over_each_other_is_read_in_time_and_the_place_has_no_name() {
    let mut of = Writer::new("1000000");
    for n in 0..20_000 {
        of.mapping(at(n, 5), n, [0x1000 + n, 0xffff_0000], "/lib/a.so");
        of.symbol(at(n, 5), 0, [0x1000, 0xffff_0000], "a");
    }
    (0..20_000).for_each(|n| of.value("cpu", at(20_000 + n, 5), 1, &[0x9000 + n, 0x8000]));
    let of = read(&of.finish());
    assert_eq!(samples(&of)[7].3, ["?", "?"]);
}

#[test]
fn code_of_the_runtime_s_own_events_is_of_the_process_that_sent_them() {
    let mut of = Writer::new("1000000");
    let exception: Vec<u8> = "A\0\0\0b\0\0\0".bytes().chain([0; 20]).collect();
    of.raw("", at(MS, 500), &exception);
    of.raw("", at(2 * MS, 600), &exception);
    let of = read(&of.finish());
    let processes = of.exceptions.thread.iter().map(|thread| *of.thread_processes.get(*thread).unwrap());
    assert_eq!(processes.collect::<Vec<_>>(), [500, 600]);
}

#[test]
fn bytes_that_mean_nothing_are_counted_and_stop_no_reading() {
    let mut of = Writer::new("1000000");
    let mut seed = 1u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 40
    };
    let kinds = ["ExistingProcess", "ProcessCreate", "ProcessExit", "ProcessMapping", "ProcessSymbol", "cpu"];
    for n in 0..6_000 {
        let payload: Vec<u8> =
            (0..next() % 40).map(|_| (next() | if n % 3 == 0 { 0x80 } else { 0 }) as u8).collect();
        let process = next() % 5;
        of.raw(kinds[(next() % 6) as usize], at(n, process), &payload);
        of.value("cpu", at(n, process), 1, &[next(), next() | KERNEL]);
    }
    // None of the lengths and numbers may be believed.
    for payload in [[0xff; 20].as_slice(), &[0; 3], &[1, 0, 0xff, 0xff, 3, 0xff, 0xff], &[]] {
        for kind in &kinds {
            of.raw(kind, at(6_000, 1), payload);
        }
    }
    let of = read(&of.finish());
    assert_eq!(of.events.len(), 12_024);
    let of_memory = |what: &&(&str, u64)| what.0 == "event of a process's memory that cannot be read";
    assert!(damage(&of).iter().find(of_memory).is_some_and(|what| what.1 > 2_000), "{:?}", damage(&of));
    assert!(of.processes.process.len() <= 6);
}

#[test]
fn a_deep_stack_in_code_that_changes_all_the_time_is_read_in_bounds() {
    let mut of = Writer::new("1000000");
    let stack: Vec<u64> = (0..200).map(|n| 0x1000 + n).collect();
    for n in 0..3_000 {
        of.mapping(at(2 * n, 5), n, [0x1000, 0x1fff], "/lib/a.so");
        of.value("cpu", at(2 * n + 1, 5), 1, &stack);
        of.exit(at(2 * n + 1, 5));
    }
    let of = read(&of.finish());
    assert_eq!((of.samples.ts_ns.len(), frames(&of, of.samples.stack[2_999]).len()), (3_000, 200));
}

/// A recording of two processes that others wrote.
fn case() -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/cases/universal.nettrace");
    let bytes = std::fs::read(path).ok();
    if bytes.is_none() {
        base::ground::skip("import::universal", "the cases are not there");
    }
    bytes
}

#[test]
fn the_case_has_the_events_that_traceevent_reads() {
    let Some(bytes) = case() else { return };
    let of = read(&bytes);
    // Process, thread, name and count, as TraceEvent 4.0 has them.
    let mut counts = std::collections::BTreeMap::new();
    for (kind, thread) in of.events.kind.iter().zip(&of.events.thread) {
        let name = of.strings.text(*of.events.kind_name.get(*kind).unwrap());
        let ids = [&of.thread_processes, &of.thread_ids].map(|list| *list.get(*thread).unwrap());
        *counts.entry((ids[0], ids[1], name)).or_insert(0) += 1;
    }
    let expected = [
        ((500, 500, "ProcessCreate"), 1),
        ((500, 500, "ProcessMapping"), 2),
        ((500, 500, "ProcessSymbol"), 3),
        ((500, 500, "cpu"), 1500),
        ((500, 501, "cpu"), 1500),
        ((500, 501, "cswitch"), 150),
        ((600, 600, "ProcessCreate"), 1),
        ((600, 600, "ProcessMapping"), 1),
        ((600, 600, "ProcessSymbol"), 1),
        ((600, 600, "cpu"), 300),
    ];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!((of.events.len(), of.samples.ts_ns.len(), damage(&of)), (3_459, 3_300, Vec::new()));
    let mut stacks = std::collections::BTreeMap::new();
    for (process, _, kind, frames) in samples(&of) {
        *stacks.entry((process, kind, frames.join(" "))).or_insert(0) += 1;
    }
    let stack = |process, kind: &str, frames: &str| (process, kind.to_owned(), frames.to_owned());
    let main = "orders!Orders.Program.Main(class System.String[])";
    let expected = [
        (stack(500, "external", &format!("libcoreclr.so!JIT_New {main}")), 1_000),
        (stack(500, "managed", &format!("orders!Orders.Work.Hot(int32) {main}")), 2_000),
        (stack(600, "external", "nginx!ngx_worker"), 300),
    ];
    assert_eq!(stacks.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_changed_byte_or_a_cut_in_the_case_never_stops_the_program() {
    let Some(bytes) = case() else { return };
    let whole = read(&bytes).events.len();
    // Each block, and bytes in between.
    let mut at = 20usize;
    while let Some(head) = bytes.get(at..at + 4) {
        let len = u32::from_le_bytes(head.try_into().unwrap()) as usize & 0xff_ffff;
        for cut in [at, at + 2, at + 4, at + 5, at + 4 + len / 2] {
            let cut = cut.min(bytes.len());
            let of = open_bytes(&bytes[..cut], "cut", OPTIONS).ok().and_then(model::Evidence::into_trace);
            let events = of.map(|of| of.events.len());
            // Of a file that ends within its first block there is nothing to say.
            assert!(events.map_or(cut < 24 + 0x5b, |events| events <= whole), "cut at {cut}: {events:?}");
        }
        at += 4 + len;
    }
    let mut changed = bytes.clone();
    for at in (0..bytes.len()).step_by(bytes.len() / 400) {
        changed[at] ^= 0xff;
        drop(open_bytes(&changed, "changed", OPTIONS));
        changed[at] = bytes[at];
    }
}
