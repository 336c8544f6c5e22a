//! The values of all colours, in the light and in the dark theme.
//!
//! The hues are near those of Okabe and Ito and of Paul Tol. Their lightnesses were chosen so that the colours of one
//! picture stay apart for readers who see no red, no green or no blue.

/// A theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub(super) fn name(self) -> &'static str {
        self.of("light", "dark")
    }

    pub(super) fn of<T>(self, light: T, dark: T) -> T {
        match self {
            Self::Light => light,
            Self::Dark => dark,
        }
    }
}

/// Surfaces, texts, lines, and the ends of the scale of differences.
pub(super) const BASE: [(&str, &str, &str); 15] = [
    ("surface", "#ffffff", "#14171b"),
    ("surface-2", "#f3f5f7", "#1d2228"),
    ("text", "#1a1f26", "#e6e9ed"),
    ("text-quiet", "#535c66", "#a5aeb8"),
    ("line", "#858e98", "#747d87"),
    ("accent", "#0b5fa5", "#6cb0f2"),
    ("good", "#1a7338", "#57c46d"),
    ("note", "#0a6285", "#6cc4e0"),
    ("warning", "#8f5200", "#e3a33a"),
    ("critical", "#b3261e", "#ff8a80"),
    ("faint", "#e9ecef", "#2a3037"),
    ("diff-text", INK, WHITE),
    ("diff-less", "#5396cf", "#2b6ea8"),
    ("diff-same", "#929395", "#676c72"),
    ("diff-more", "#e06c24", "#b04a0e"),
];

/// Colours of shapes by what they mean.
pub(super) const MEANINGS: [(&str, &str, &str); 32] = [
    // Threads: what they do, and what they wait for. Threads that wait for work are idle, hence pale.
    ("running", "#c06703", "#da8425"),
    ("running-other", "#7c8594", "#8f9aae"),
    ("waiting", "#51606f", "#c1cfe1"),
    ("idle", "#858e99", "#6b7682"),
    ("io", "#2093e0", "#3bb1fd"),
    ("signal", "#8f8616", "#e2be14"),
    ("sleep", "#6c4717", "#b07f5a"),
    ("task", "#9233c8", "#905af5"),
    ("lock", "#da639a", "#de2fa5"),
    ("other", "#3c404b", "#a8a8a8"),
    ("pool", "#381ea8", "#6f7df0"),
    // The GC: older generations are darker.
    ("gc", "#0b6b86", "#5fb8d0"),
    ("gen0", "#269aab", "#2ef0d2"),
    ("gen1", "#0e7f71", "#41c6c4"),
    ("gen2", "#025883", "#5c99c3"),
    ("background", "#8953db", "#986bf6"),
    ("pause", "#404040", "#686d72"),
    ("large", "#652647", "#9d5681"),
    ("pinned", "#715b0d", "#e1bc52"),
    ("allocation", "#2b671b", "#5ded9b"),
    // Requests and calls.
    ("requests", "#175ab2", "#99bdf9"),
    ("requests-slow", "#148af0", "#4689c2"),
    ("calls", "#5a6fc4", "#8fa2f2"),
    ("database", "#6e8a50", "#abd756"),
    // What goes wrong, and log lines by level.
    ("fatal", "#811117", "#d0857e"),
    ("error", "#b1362d", "#ce341b"),
    ("notice", "#b97d14", "#fdb873"),
    ("information", "#074976", "#699efc"),
    ("debug", "#5f6776", "#656f81"),
    ("trace", "#818c9d", "#bcc5cd"),
    // The rest.
    ("jit", "#bf6dc4", "#c661d8"),
    ("host", "#44586a", "#8296a8"),
];

/// Dark and light letters on frames.
const INK: &str = "#14110c";
const WHITE: &str = "#ffffff";

/// The colour of frames with that of their names, in each theme.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tone {
    pub(super) name: &'static str,
    pub(super) light: (&'static str, &'static str),
    pub(super) dark: (&'static str, &'static str),
}

const fn tone(
    name: &'static str,
    light: (&'static str, &'static str),
    dark: (&'static str, &'static str),
) -> Tone {
    Tone { name, light, dark }
}

/// Colours of frames: warm ones for your own modules, cool ones for packages, a quiet grey for the runtime.
pub(super) const TONES: [Tone; 12] = [
    tone("user-0", ("#cd8212", INK), ("#f6af06", INK)),
    tone("user-1", ("#b25d0f", WHITE), ("#d73f05", WHITE)),
    tone("user-2", ("#7a0a13", WHITE), ("#c0789a", INK)),
    tone("user-3", ("#a22708", WHITE), ("#ee7743", INK)),
    tone("user-4", ("#5e2b4a", WHITE), ("#ad3e4e", WHITE)),
    tone("library-0", ("#33836a", WHITE), ("#66f19c", INK)),
    tone("library-1", ("#3896f8", INK), ("#2776d0", WHITE)),
    tone("library-2", ("#366361", WHITE), ("#9dbda4", INK)),
    tone("library-3", ("#6f4fd8", WHITE), ("#4a99ff", INK)),
    tone("framework", ("#8e93a3", INK), ("#636877", WHITE)),
    tone("dynamic", ("#835eaa", WHITE), ("#dcb6fa", INK)),
    tone("unknown", ("#757575", WHITE), ("#6a6a6a", WHITE)),
];
