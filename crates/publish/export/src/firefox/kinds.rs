//! The categories of frames and markers, the kinds of markers, and a marker of any kind.

use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, Marker, MarkerFieldFlags, MarkerFieldFormat as Format, MarkerGraphType,
    MarkerLocations, MarkerTypeHandle, Profile, RuntimeSchemaMarkerField, RuntimeSchemaMarkerGraph,
    RuntimeSchemaMarkerSchema, StringHandle,
};

/// The categories of frames and markers.
#[derive(Debug)]
pub(super) struct Categories {
    pub(super) managed: CategoryHandle,
    pub(super) waiting: CategoryHandle,
    pub(super) external: CategoryHandle,
    pub(super) gc: CategoryHandle,
    pub(super) request: CategoryHandle,
    pub(super) exception: CategoryHandle,
    pub(super) compiler: CategoryHandle,
}

impl Categories {
    pub(super) fn new(profile: &mut Profile) -> Self {
        Self {
            managed: profile.add_category("Managed code", CategoryColor::Green),
            waiting: profile.add_category("Waiting", CategoryColor::LightBlue),
            external: profile.add_category("Outside managed code", CategoryColor::Gray),
            gc: profile.add_category("GC", CategoryColor::Orange),
            request: profile.add_category("Requests and spans", CategoryColor::Blue),
            exception: profile.add_category("Exceptions", CategoryColor::Red),
            compiler: profile.add_category("JIT", CategoryColor::Purple),
        }
    }
}

/// A field of a kind of markers.
#[derive(Debug, Clone)]
struct Field {
    key: &'static str,
    label: &'static str,
    format: Format,
}

/// What markers of a kind have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) handle: MarkerTypeHandle,
    pub(super) name: StringHandle,
    pub(super) category: CategoryHandle,
}

/// All kinds.
#[derive(Debug)]
pub(super) struct Kinds {
    pub(super) request: Kind,
    pub(super) span: Kind,
    pub(super) collection: Kind,
    pub(super) pause: Kind,
    pub(super) lock: Kind,
    pub(super) handle: Kind,
    pub(super) exception: Kind,
    pub(super) compilation: Kind,
    pub(super) gauge: Kind,
}

impl Kinds {
    pub(super) fn new(profile: &mut Profile, categories: &Categories) -> Self {
        let mut kind = |name: &str, category, label: &str, about: &str, fields: &[Field]| {
            let schema = schema(name, label, about, fields);
            let handle = profile.register_marker_type(schema);
            Kind { handle, name: profile.intern_string(name), category }
        };
        let [text, private] = [Format::String, Format::SanitizedString];
        // Private texts are removed when a profile is uploaded without "resource URLs and paths".
        let field = |key, label, format: &Format| Field { key, label, format: format.clone() };
        let lock = [field("lock", "Lock", &text), field("owner", "Held by thread", &text)];
        let pause = [field("cause", "For", &text)];
        let request = [field("request", "Request", &private), field("status", "Status", &text)];
        let span = [
            field("span", "Name", &private),
            field("source", "Source", &text),
            field("tags", "Tags", &private),
        ];
        let collection = [
            field("generation", "Generation", &text),
            field("kind", "Kind", &text),
            field("reason", "Reason", &text),
        ];
        let handle = [field("source", "For", &text), field("object", "Object", &text)];
        let exception = [field("class", "Type", &text), field("message", "Message", &private)];
        let method = [field("method", "Method", &text), field("tier", "Tier", &text)];
        let value = [field("value", "Value", &Format::Decimal)];
        let Categories { waiting, gc, request: of_requests, exception: thrown, compiler, .. } = *categories;
        Self {
            request: kind("Request", of_requests, "request", "A request that the service answered", &request),
            span: kind("Span", of_requests, "span", "A span of an ActivitySource", &span),
            collection: kind("GC", gc, "generation", "A garbage collection", &collection),
            pause: kind("Pause", gc, "cause", "A time in which the program was paused", &pause),
            lock: kind("Wait for a lock", waiting, "lock", "A wait for a lock that another held", &lock),
            handle: kind("Wait for a handle", waiting, "source", "A wait for a handle or a signal", &handle),
            exception: kind("Exception", thrown, "class", "An exception, caught or not", &exception),
            compilation: kind("JIT", compiler, "method", "Compiled code that was loaded", &method),
            gauge: kind("Thread pool", of_requests, "value", "A value of the thread pool", &value),
        }
    }
}

fn schema(name: &str, label: &str, about: &str, fields: &[Field]) -> RuntimeSchemaMarkerSchema {
    let label = format!("{{marker.data.{label}}}");
    let numbers = fields.iter().filter(|field| field.format == Format::Decimal);
    let graphs = numbers.map(|field| RuntimeSchemaMarkerGraph {
        key: field.key.to_owned(),
        graph_type: MarkerGraphType::LineFilled,
        color: None,
    });
    RuntimeSchemaMarkerSchema {
        type_name: name.to_owned(),
        description: Some(about.to_owned()),
        locations: MarkerLocations::MARKER_CHART
            | MarkerLocations::MARKER_TABLE
            | MarkerLocations::TIMELINE_OVERVIEW,
        chart_label: Some(label.clone()),
        tooltip_label: Some(format!("{{marker.name}}: {label}")),
        table_label: Some(format!("{{marker.name}}: {label}")),
        graphs: graphs.collect(),
        fields: fields
            .iter()
            .map(|field| RuntimeSchemaMarkerField {
                key: field.key.to_owned(),
                label: field.label.to_owned(),
                format: field.format.clone(),
                flags: MarkerFieldFlags::SEARCHABLE,
            })
            .collect(),
    }
}

/// A marker: the texts of its kind's fields, or its value.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) kind: Kind,
    pub(super) texts: &'a [StringHandle],
    pub(super) value: f64,
}

impl Marker for Row<'_> {
    fn marker_type(&self, _: &mut Profile) -> MarkerTypeHandle {
        self.kind.handle
    }

    fn name(&self, _: &mut Profile) -> StringHandle {
        self.kind.name
    }

    fn category(&self, _: &mut Profile) -> CategoryHandle {
        self.kind.category
    }

    fn string_field_value(&self, field: u32) -> StringHandle {
        // Every row has as many texts as its kind has fields, so the default is never used.
        self.texts.get(field as usize).copied().unwrap_or(self.kind.name)
    }

    fn number_field_value(&self, _: u32) -> f64 {
        self.value
    }
}
