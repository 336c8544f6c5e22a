//! The kinds of a recording's events: the decoder's numbers of them, which begin anew in each stream, to the recording's.

use super::earlier::KindKey;
use super::kinds::{Decoding, Kind, Layouts, PayloadDecoder};
use super::rawstacks::RawStack;
use base::seeded::{SeededMap, SeededSet};
use clr::payload::Payload;
use model::{EventKind, Events, KindId, Lost, Strings, Sym};
use nettrace::Event;
use std::rc::Rc;
use std::sync::Arc;

/// Kinds of a stream whose version or opcode labels of events change: each takes up to 1.5 KB, though it may be of four
/// bytes of the input. Writers give an event of a kind no more than a start and a stop.
const MAX_OVERRIDDEN: usize = 1 << 13;
const MANY_OVERRIDDEN: &str =
    "event whose labels make it one of more than 8,192 kinds: its labels were not used";
/// What a kind of event takes beside its fields and its name.
const KIND_BYTES: usize = 256;

/// A kind, with its number in the recording.
type Numbered = (KindId, Rc<Kind>);

/// A kind by the decoder's number, and the opcode and version that a label of the very event gives it.
type Overridden = (u32, Option<u8>, Option<u8>);

/// What new kinds are added to.
#[derive(Debug)]
pub(crate) struct KindLists<'a> {
    pub(crate) strings: &'a mut Strings,
    pub(crate) events: &'a mut Events<RawStack>,
    pub(crate) lost: &'a mut Lost,
}

/// The kinds of events.
#[derive(Debug, Default)]
pub(crate) struct KindTable {
    /// By the decoder's number of the kind; anew for each stream.
    kinds: Vec<Option<Numbered>>,
    overridden: SeededMap<Overridden, Numbered>,
    /// By the decoder's number of the kind; anew for each stream.
    layouts: Layouts,
    numbers: SeededMap<EventKind, KindId>,
    /// By the name in the payload of a GC/DynamicTraceEvent.
    dynamic: SeededMap<(KindId, String), KindId>,
    decoder: PayloadDecoder,
    /// Provider and number of each kind that the stream has sent.
    sent: SeededSet<KindKey>,
    kept_bytes: usize,
}

impl KindTable {
    /// Begins a stream or a file: the decoder's numbers start anew.
    pub(crate) fn forget(&mut self) {
        self.kinds.clear();
        self.overridden = SeededMap::default();
        self.layouts = Layouts::default();
    }

    /// Begins a stream whose pointers have so many bytes. Returns the kinds that the stream before has sent.
    pub(crate) fn begin_stream(&mut self, pointer_size: u8) -> SeededSet<KindKey> {
        self.decoder.pointer_sizes.push(pointer_size);
        std::mem::take(&mut self.sent)
    }

    /// About how many bytes the kinds of all streams take.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// Gives what decodes payloads by the number of the kind.
    pub(crate) fn into_decoder(self) -> PayloadDecoder {
        self.decoder
    }

    /// The number and the description of an event's kind.
    #[inline]
    pub(crate) fn of(&mut self, event: &Event<'_>, lists: KindLists<'_>) -> Numbered {
        if event.opcode.is_none()
            && event.version.is_none()
            && let Some(Some((number, kind))) = self.kinds.get(event.metadata.index as usize)
        {
            return (*number, Rc::clone(kind));
        }
        self.find(event, lists)
    }

    /// The same for the first event of a kind, and for events whose labels change their kind.
    fn find(&mut self, event: &Event<'_>, mut lists: KindLists<'_>) -> Numbered {
        let index = event.metadata.index as usize;
        if event.opcode.is_some() || event.version.is_some() {
            let key = (event.metadata.index, event.opcode, event.version);
            if let Some((number, kind)) = self.overridden.get(&key) {
                return (*number, Rc::clone(kind));
            }
            if self.overridden.len() < MAX_OVERRIDDEN {
                let made = self.make(event, event.version, event.opcode, &mut lists);
                self.overridden.insert(key, (made.0, Rc::clone(&made.1)));
                return made;
            }
            lists.lost.damage.note(MANY_OVERRIDDEN, event.offset);
        }
        if let Some(Some((number, kind))) = self.kinds.get(index) {
            return (*number, Rc::clone(kind));
        }
        let made = self.make(event, None, None, &mut lists);
        if index >= self.kinds.len() {
            self.kinds.resize(index + 1, None);
        }
        if let Some(place) = self.kinds.get_mut(index) {
            *place = Some((made.0, Rc::clone(&made.1)));
        }
        made
    }

    fn make(
        &mut self,
        event: &Event<'_>,
        version: Option<u8>,
        opcode: Option<u8>,
        lists: &mut KindLists<'_>,
    ) -> Numbered {
        let kind = Kind::new(event.metadata, version, opcode, &mut self.layouts);
        let version = version.unwrap_or(event.metadata.version);
        let provider = lists.strings.intern(&event.metadata.provider);
        self.sent.insert((provider, i64::from(event.metadata.event_id)));
        let decoding = Decoding::Plain(Arc::clone(&kind.layout));
        let name = lists.strings.intern(&kind.name);
        let key = event_kind(provider, name, event.metadata.event_id, version);
        (self.number(key, decoding, lists), Rc::new(kind))
    }

    fn number(&mut self, key: EventKind, decoding: Decoding, lists: &mut KindLists<'_>) -> KindId {
        let same =
            self.numbers.get(&key).copied().filter(|number| match (self.decoder.get(*number), &decoding) {
                (Some(Decoding::Plain(known)), Decoding::Plain(new)) => known == new,
                (known, _) => known.is_some(),
            });
        if let Some(number) = same {
            return number;
        }
        self.kept_bytes = self.kept_bytes.saturating_add(KIND_BYTES).saturating_add(decoding.kept_bytes());
        let number = lists.events.add_kind(key);
        self.decoder.push(decoding);
        self.numbers.insert(key, number);
        number
    }

    /// The number of a GC/DynamicTraceEvent's kind, by the name in its payload; `number` if the name is not known.
    pub(crate) fn of_dynamic(
        &mut self,
        number: KindId,
        event: &Event<'_>,
        kind: &Kind,
        pointer_size: u8,
        mut lists: KindLists<'_>,
    ) -> KindId {
        let fields = Payload::new(&kind.layout, event.payload, pointer_size);
        let Some(name) = fields.text("Name") else { return number };
        if let Some(known) = self.dynamic.get(&(number, name.clone())) {
            return *known;
        }
        let made = match clr::schema::dynamic_event(&name) {
            Some(inner) => {
                let metadata = event.metadata;
                let provider = lists.strings.intern(&metadata.provider);
                let name = lists.strings.intern(inner.name);
                let key = event_kind(provider, name, metadata.event_id, metadata.version);
                let decoding = Decoding::Dynamic(Arc::clone(&kind.layout), inner.layout);
                self.number(key, decoding, &mut lists)
            }
            None => number,
        };
        self.kept_bytes = self.kept_bytes.saturating_add(KIND_BYTES).saturating_add(name.len());
        self.dynamic.insert((number, name), made);
        made
    }

    /// Whether the payload of a GC/DynamicTraceEvent has fewer bytes than its fields need.
    pub(crate) fn is_damaged(&self, number: KindId, payload: &[u8], pointer_size: u8) -> bool {
        self.decoder.is_damaged(number, payload, pointer_size)
    }
}

fn event_kind(provider: Sym, name: Sym, id: u32, version: u8) -> EventKind {
    EventKind { provider, name, id: i64::from(id), version: i64::from(version) }
}
